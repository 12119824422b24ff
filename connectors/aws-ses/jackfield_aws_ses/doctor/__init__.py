"""Examination of a sender's setup: the SES account, identities, DNS records, SMTP endpoints."""

from jackfield_aws_ses.doctor.examination import examine
from jackfield_aws_ses.doctor.findings import KINDS, Finding
from jackfield_aws_ses.doctor.records import DnsUnavailable, Records, system_records

__all__ = ["KINDS", "DnsUnavailable", "Finding", "Records", "examine", "system_records"]
