"""What is made from the code and committed: schemas, manifests, reference pages. Development only;
nothing of it is shipped.
"""
