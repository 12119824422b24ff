"""Actions of ``aws.s3`` that need several operations of S3: files of any size up, down and from
bucket to bucket, and presigned requests.

``names`` lists them without imports; ``connector`` declares them by the author's API. ``parts`` is
the arithmetic of parts, ``multipart`` the common part of uploads and copies, ``transfers`` and
``presigning`` are the actions.
"""
