"""Actions of ``aws.s3`` that no single operation of S3 is: files of any size up, down and from bucket to bucket, and presigned requests.

``names`` lists them without importing anything; ``connector`` declares them by the author's API. ``parts`` is the arithmetic of parts,
``multipart`` what uploads and copies have in common, ``transfers`` and ``presigning`` are the actions.
"""
