"""Recipients to whom nothing more is sent, and the guards of connections that watch bounces and complaints."""
