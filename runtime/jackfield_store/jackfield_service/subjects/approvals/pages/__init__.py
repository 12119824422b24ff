"""Pages of the console about approvals."""
