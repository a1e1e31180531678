"""What is said when a certificate does not do."""

from pandasite.base.errors import DomainError, NotAllowed


class CertificateRefused(DomainError):
    """The certificate is no proof of who calls: it is read, and something is wrong with it."""

    code = "certificate_refused"


class CertificateUnknown(NotAllowed):
    """The certificate is good, and nobody's here."""

    code = "certificate_unknown"
