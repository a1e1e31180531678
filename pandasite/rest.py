"""Django's settings for the REST door and its OpenAPI document; part of `settings.py`."""

from datetime import timedelta

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["jobs.api.auth.TokenAuthentication"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "pandasite.base.negotiation.Negotiation",
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["pandasite.base.json.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "pandasite.base.problems.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
REST_KNOX = {"TOKEN_TTL": timedelta(days=7), "AUTH_HEADER_PREFIX": "Token"}
SPECTACULAR_SETTINGS = {
    "TITLE": "pandasite",
    "DESCRIPTION": "A pilot-based workload manager.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    # Everybody may read the document: no token is asked for, and none is looked at.
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "ENUM_NAME_OVERRIDES": {
        "JobState": "jobs.api.answers.STATES",
        "ReportedState": "jobs.api.bodies.SAYABLE",
        "ProdSourceLabelEnum": "jobs.labels.LABELS",
        "TaskState": "jobs.api.task_answers.STATES",
        "PieceState": "jobs.api.task_answers.PIECE_STATES",
        "DatasetState": "jobs.api.data_answers.DATASET_STATES",
        "DatasetType": "jobs.api.data_answers.TYPES",
        "NewDatasetType": "jobs.api.data_bodies.MADE_BY_HAND",
        "SubscriptionState": "jobs.api.data_answers.SUBSCRIPTION_STATES",
    },
}
