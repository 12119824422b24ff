"""Actions of the connector, one module per subject; ``jackfield_aws_ses.connector`` lists them and
imports each on demand.
"""
