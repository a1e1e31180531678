"""What is said when a certificate does not do."""

from pandasite.base.errors import DomainError


class CertificateRefused(DomainError):
    """The certificate is no proof of who calls: it is read, and something is wrong with it."""

    code = "certificate_refused"


class CertificateUnknown(DomainError):
    """The certificate is good, and nobody's here; or its owner is banned."""

    code = "certificate_unknown"
