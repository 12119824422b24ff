-- When somebody asked to cancel an invocation while it ran: what has been sent by then runs to its end, and the entry says both.
ALTER TABLE invocations ADD COLUMN cancel_requested_at {double};
