"""Grid certificates: from what a client showed to whom it belongs, or a refusal in words.

`names`, `chain` and `proxies` are pure; `listener` is the TLS of our own port, `front` reads what a
web server in front hands on, `callers` asks the database whose a certificate is.
"""
