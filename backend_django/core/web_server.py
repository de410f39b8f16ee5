"""How gunicorn serves (`gunicorn --config core/web_server.py core.wsgi`): for `make run`, systemd and the container.

Two processes use both cores; threads wait for the database and for trainings that a caller wants to see finished.
"""

from __future__ import annotations

import os

bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
worker_class = "gthread"
workers = int(os.environ.get("WEB_PROCESSES", "2"))
threads = int(os.environ.get("WEB_THREADS", "8"))
timeout = 90
"""Seconds that a process may be silent; an answer that waits for a training takes at most 50."""
limit_request_line = 8190
"""Characters of an address that reach the project, which answers those that are too long in its own words."""
loglevel = "warning"
control_socket_disable = True
