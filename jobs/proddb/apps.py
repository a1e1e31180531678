from django.apps import AppConfig


class ProdDbConfig(AppConfig):
    name = "jobs.proddb"
    label = "proddb"
    verbose_name = "production database"
