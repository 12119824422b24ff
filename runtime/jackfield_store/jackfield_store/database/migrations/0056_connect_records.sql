-- What a connect session leaves with its connection, sealed (jackfield_service.subjects.connect.records): the platform's words, and what it
-- will call. It stays when the values are replaced, and goes with the connection.
ALTER TABLE connections ADD COLUMN connect_record {blob};
