"""Both servers of one home, ready to be started by a supervisor."""

from dataclasses import dataclass
from typing import Self

from pandasite.embedded.home import Home
from pandasite.embedded.keys import Keys
from pandasite.embedded.postgres import Postgres
from pandasite.embedded.process import Command
from pandasite.embedded.programs import PostgresPrograms, find_valkey
from pandasite.embedded.valkey import Valkey


@dataclass(frozen=True, kw_only=True)
class Servers:
    """`commands()` says how to start them, `ready()` whether both answer."""

    postgres: Postgres
    valkey: Valkey

    @classmethod
    def of(cls, home: Home, *, durable: bool = True) -> Self:
        """Finds the programs. Raises EmbeddedError when one is missing."""
        home.make()
        keys = Keys.of(home.secrets)
        programs = PostgresPrograms.find(home)
        return cls(
            postgres=Postgres(home=home, keys=keys, programs=programs, durable=durable),
            valkey=Valkey(home=home, keys=keys, program=find_valkey(home)),
        )

    def commands(self) -> tuple[Command, ...]:
        return (self.postgres.command(), self.valkey.command())

    def ready(self) -> bool:
        return self.postgres.ready() and self.valkey.ready()
