"""How a node talks to home: to a bucket over S3, or through a folder."""
