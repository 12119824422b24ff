"""Examination of a sender's setup: the SES account, identities, DNS records, SMTP endpoints."""

from jackfield_aws_ses.doctor.examination import examine
from jackfield_aws_ses.doctor.findings import KINDS
from jackfield_aws_ses.doctor.records import DnsUnavailable, Records, system_records
from jackfield_aws_ses.finding import Finding

__all__ = ["KINDS", "DnsUnavailable", "Finding", "Records", "examine", "system_records"]
