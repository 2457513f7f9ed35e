"""Bytes from upstream: pages whole, files streamed, each under limits of size, silence and speed.

The only room that imports aiohttp's client, tenacity and keyring.  Whatever goes wrong on the way comes out
as one of :mod:`aiomirror.errors`; addresses in them are masked.  Nothing is known here of what the bytes
mean.
"""

from aiomirror.http.client import Client
from aiomirror.http.credentials import tokens
from aiomirror.http.origins import masked
from aiomirror.http.sections import connections
from aiomirror.http.transfer import Transfer
from aiomirror.http.values import Answer, HttpSettings, Section, Sink, Validators

__all__ = [
    "Answer",
    "Client",
    "HttpSettings",
    "Section",
    "Sink",
    "Transfer",
    "Validators",
    "connections",
    "masked",
    "tokens",
]
