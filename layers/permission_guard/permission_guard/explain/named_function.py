"""Which function an explanation is about, as a person names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.errors import InputError
from permission_guard.model.arns import parse_function_name
from permission_guard.model.names import LONGEST_QUALIFIER
from permission_guard.records import record

if TYPE_CHECKING:
    from permission_guard.model.targets import FunctionTarget


@record
class NamedFunction:
    """A function by name, ARN or partial ARN. `region` and `account` are empty if it does not name them."""

    text: str
    region: str
    account: str
    qualifier: str | None

    @classmethod
    def parse(cls, text: str, *, qualifier: str | None = None, region: str | None = None) -> NamedFunction:
        """Parse what a person names, with the options `--qualifier` and `--region`. InputError if they disagree."""
        try:
            target, own = parse_function_name(text, region="", account="")
        except ValueError as error:
            raise InputError(
                "FUNCTION requires the name, the ARN or the partial ARN of a function, such as orders or orders:live; "
                f"got {text!r:.200}"
            ) from error
        if own and qualifier and own != qualifier:
            raise InputError(f"--qualifier {qualifier:.200} is not the qualifier of {text:.300}: give one of them")
        found = own or qualifier
        if found is not None and not _is_qualifier(found):
            raise InputError(f"--qualifier requires an alias, a version number or $LATEST; got {found!r:.200}")
        if target.region and region and target.region != region:
            raise InputError(f"{text:.300} is in region {target.region}, not in --region {region}")
        return cls(text, target.region or region or "", target.account, found)

    def target(self, *, region: str, account: str) -> FunctionTarget:
        """Return the function, with the region and the account of the credentials where it names none.

        InputError if it is of another account.
        """
        if self.account and self.account != account:
            raise InputError(
                f"{self.text:.300} is of account {self.account}, and your credentials are of account {account}: "
                "use credentials of that account, for example with --profile"
            )
        return parse_function_name(self.text, region=self.region or region, account=account)[0]


def _is_qualifier(text: str) -> bool:
    if len(text) > LONGEST_QUALIFIER:
        return False
    try:
        return parse_function_name(f"function:{text}", region="", account="")[0].name == text or text == "$LATEST"
    except ValueError:
        return text == "$LATEST"
