"""What PanDA's client asks: tasks that are sent, steered and looked at, and their jobs.

The client takes any status but 200 for a broken line and shows nothing of the body. So what its
user can do something about is a refusal in the envelope; a token that does not hold, a client that
calls too often and a server in trouble keep their status, as everywhere.
"""
