-- Connections whose last test failed, or whose approval has ended, are counted over all workspaces (jackfield_service.subjects.tenants.health).
CREATE INDEX connections_attention ON connections (workspace) WHERE status IN ('failing', 'expired');
