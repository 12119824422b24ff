"""What needs attention in a workspace, on one page, and figures of its calls."""
