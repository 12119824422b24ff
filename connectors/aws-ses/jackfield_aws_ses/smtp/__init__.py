"""Amazon SES over SMTP: the connection type ``smtp`` and its client. ``smtplib`` and ``ssl`` are
imported at the first connection.
"""

from jackfield_aws_ses.smtp.connection_type import Smtp
from jackfield_aws_ses.smtp.hosts import region_of
from jackfield_aws_ses.smtp.password import smtp_password

__all__ = ["Smtp", "region_of", "smtp_password"]
