"""Copy evidence into a bucket where nobody can change or delete it."""

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints, ValidationError, model_validator

from activities.aws._account import AccountName, Region, account_of, target
from activities.aws._bucket import BUCKET, BucketName
from activities.aws._locked import Bucket, Gone, Kept, Lock, Mode, Version, all_of
from activities.aws._preserved import MANIFEST, MAX_WRITTEN, RECEIPT, Lost, Manifest, Piece, Preserved, Receipt
from halon.contracts.base import Duration, JsonObject, digest, format_duration
from halon.contracts.plan import Row, Settlement
from halon.errors import PermanentError, TransientError
from halon.kit.action import Change, Nothing, NoUndo, Permission, Proposal, Refusal
from halon.kit.env import Env
from halon.kit.evidence import evidence_store

MAX_OBJECTS = 500
MAX_SIZE = 1024**3
"""Bytes of one object: S3 copies that much within the time that one call has."""
MAX_NAME = 1024
"""Bytes of an object's name, S3's own bound."""
_PLACE = 16
"""Hexadecimal digits."""
_AT_ONCE = 8
_SLICE = timedelta(seconds=25)
"""How long one attempt goes on beginning copies; the server then begins the next one."""
_WITHIN = timedelta(hours=1)
_MIB = 1024 * 1024
_SHOWN = 5


class PreserveEvidence(Change[Preserved]):
    """Copy evidence into a bucket with object lock: objects of another bucket, pieces of the evidence store, or both.

    What is copied is written down first, in `manifest.json`, with the version of each object; at the end `receipt.json`
    says which version of which copy has which SHA-256, as S3 computed it. An object that was changed or deleted before
    it could be copied is named there, and the change does not settle.

    With `COMPLIANCE` nobody can delete a copy before its time is over, not even AWS's root user; with `GOVERNANCE` only
    who has `s3:BypassGovernanceRetention`. Tags and metadata of objects are copied, their older versions are not. A
    bucket that is encrypted with a key of KMS needs rights on that key.

    Raises NotFound when there is no such bucket or no such piece, and PermissionDenied with the right that is missing.
    """

    undoable: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission(
            "aws",
            ("s3:GetBucketObjectLockConfiguration", "s3:ListBucketVersions"),
            BUCKET,
            "to see that it locks, and what is in it",
        ),
        Permission(
            "aws",
            (
                *("s3:PutObject", "s3:PutObjectRetention", "s3:PutObjectTagging"),
                *("s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectRetention"),
            ),
            "arn:aws:s3:::{bucket}/{folder}/*",
            "to write locked copies, and to see that they are locked",
        ),
        Permission(
            "aws",
            ("s3:ListBucketVersions",),
            "arn:aws:s3:::{from_bucket}",
            "to see what is to be copied",
            when=(("from_bucket", "*"),),
        ),
        Permission(
            "aws",
            ("s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectTagging", "s3:GetObjectVersionTagging"),
            "arn:aws:s3:::{from_bucket}/{from_prefix}*",
            "to copy it",
            when=(("from_bucket", "*"),),
        ),
    )
    example: ClassVar[JsonObject] = {
        "bucket": "acme-evidence",
        "folder": "incidents/i-7f3a",
        "from_bucket": "acme-trail",
        "from_prefix": "AWSLogs/123456789012/CloudTrail/eu-west-1/2026/01/02/",
        "keep": "365d",
    }

    bucket: BucketName
    """The bucket with object lock."""
    folder: Annotated[str, StringConstraints(max_length=200, pattern=r"^[A-Za-z0-9_.=-]+(/[A-Za-z0-9_.=-]+)*$")]
    """Where in it, with the incident's id. Each call has a folder of its own in there, named by a digest of what it
    keeps, and the same call again finds that it is kept already."""
    from_bucket: Annotated[str, StringConstraints(pattern=r"^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$", max_length=63)] = ""
    """A bucket whose objects are copied; either this, or `facts`, or both."""
    from_prefix: Annotated[str, StringConstraints(max_length=1024)] = ""
    """Which of its objects: those whose name begins so."""
    from_region: Region = ""
    """That bucket's region; without it, `region`."""
    from_owner: Annotated[str, StringConstraints(pattern=r"^([0-9]{12})?$", max_length=12)] = ""
    """The number of the account that that bucket must belong to; without it, the one that Halon acts in."""
    facts: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$", max_length=64)], ...], Field(max_length=20)
    ] = ()
    """Digests of pieces in the evidence store: `aws.collect_evidence` and `kubernetes.collect_evidence` give them."""
    mode: Mode = "COMPLIANCE"
    """Whether somebody may still delete it: see above. Compliance cannot be taken back, and storage costs money."""
    keep: Annotated[Duration, Field(ge=timedelta(days=1), le=timedelta(days=366))] = timedelta(days=90)
    """How long nobody can, from 1 to 366 days."""
    max_objects: Annotated[int, Field(ge=1, le=MAX_OBJECTS)] = 100
    """More objects than that are refused."""
    max_mib: Annotated[int, Field(ge=1, le=500 * 1024)] = 10 * 1024
    """More than that in all, in MiB, is refused, and so is any object of more than 1024."""
    owner: Annotated[str, StringConstraints(pattern=r"^([0-9]{12})?$", max_length=12)] = ""
    """The number of the account that the bucket must belong to; without it, the one that Halon acts in."""
    account: AccountName = ""
    """An account of halon.yaml, whose credentials read and write; without it, the default one."""
    region: Region = ""
    """The bucket's region; without it, the account's own."""

    @model_validator(mode="after")
    def _of_something(self) -> "PreserveEvidence":
        if not self.from_bucket and not self.facts:
            raise ValueError("give `from_bucket`, or `facts`, or both")
        if self.from_bucket == self.bucket:
            raise ValueError("from_bucket: another bucket than the one that evidence goes to")
        if not self.from_bucket and (self.from_prefix or self.from_region or self.from_owner):
            raise ValueError("`from_prefix`, `from_region` and `from_owner` belong to a `from_bucket`")
        return self

    def target(self) -> str:
        """Name the folder."""
        return target(self.account, self.region, "s3", f"{self.bucket}/{self.folder}")

    def apply_within(self) -> timedelta:
        """As long as copying may take."""
        return _WITHIN

    async def observe(self, env: Env) -> Preserved:
        """Look at the bucket and its folder, and at what there is to keep."""
        bucket = await self._bucket(env)
        if not await bucket.locks():
            return Preserved(locks=False, there={}, manifest=None, receipt=None, pieces=())
        there: dict[str, list[Version]] = {}
        for one in await bucket.versions(f"{self.place}/"):
            there.setdefault(one.name.removeprefix(f"{self.place}/"), []).append(one)
        manifest = await self._written(bucket, there.get(MANIFEST), Manifest)
        receipt = await self._written(bucket, there.get(RECEIPT), Receipt)
        return Preserved(
            locks=True,
            there={name: tuple(one.id for one in versions) for name, versions in there.items()},
            manifest=manifest,
            receipt=receipt,
            pieces=manifest.pieces if manifest else await self._pieces(env),
        )

    async def _written(self, bucket: Bucket, versions: Sequence[Version] | None, kind: Any) -> Any:
        """Read a file of Halon's as it was first written: what somebody puts over it changes nothing."""
        if not versions:
            return None
        try:
            return kind.model_validate_json(await bucket.read(versions[-1], MAX_WRITTEN))
        except ValidationError as error:
            raise PermanentError(f"s3://{bucket.name}/{versions[-1].name} is none of Halon's") from error

    async def _pieces(self, env: Env) -> tuple[Piece, ...]:
        store = evidence_store(env) if self.facts else None
        pieces = [Piece(fact=one, size=(await store.about(one)).size) for one in dict.fromkeys(self.facts) if store]
        if self.from_bucket:
            found = await (await self._source(env)).versions(self.from_prefix)
            pieces += [Piece(object=one, size=one.size) for one in found if one.latest]
        return tuple(pieces)

    def plan(self, state: Preserved, now: datetime) -> Proposal | Nothing | Refusal:
        """Say what is copied, and how long it stays."""
        objection = self._objection(state)
        if objection:
            return Refusal(objection)
        if state.manifest and state.receipt:
            return Nothing(f"{self._where} keeps it already, until {state.manifest.until.isoformat()}")
        sizes = [one.size for one in state.pieces]
        shown = [f"{one.name} ({one.size} bytes)" for one in state.pieces[:_SHOWN]]
        rows = [
            Row(field="copies", before=0, after=len(sizes)),
            Row(field="bytes", before=0, after=sum(sizes)),
            Row(field="locked", before=None, after=f"{self.mode} for {format_duration(self.keep)}"),
        ]
        who = "whoever has s3:BypassGovernanceRetention" if self.mode == "GOVERNANCE" else "nobody, whoever asks"
        more = len(sizes) - len(shown)
        return Proposal(
            summary=f"Copy {len(sizes)} pieces of evidence to {self._where}, locked for {format_duration(self.keep)}",
            before=self.owned(state),
            after={"kept": self._what},
            rows=rows,
            notes=[
                f"{', '.join(shown)}{f', and {more} more' if more > 0 else ''}",
                f"{who} can delete a copy before that, and its storage costs money meanwhile",
            ],
        )

    def owned(self, state: Preserved) -> JsonObject:
        """What the folder is for."""
        return {"kept": state.manifest.what if state.manifest else None}

    def mark(self, state: Preserved) -> str:
        """The key in the manifest."""
        return state.manifest.key if state.manifest else ""

    def unfinished(self, state: Preserved) -> str:
        """How much is still to be copied."""
        if state.manifest is None or state.receipt is not None:
            return ""
        left = sum(1 for one in state.pieces if one.name not in state.there)
        return f"{left} of {len(state.pieces)} copies" if left else "the receipt"

    async def apply(self, env: Env, after: JsonObject, state: Preserved, key: str) -> None:
        """Write the manifest, copy, and write the receipt; what is there already is not written again.

        Raises:
            PermanentError: what there is to keep is no longer what may be kept, or S3 refuses some of it.
            TransientError: it takes longer than one attempt: the server tries again.
        """
        bucket = await self._bucket(env)
        manifest = state.manifest
        if manifest is None:
            objection = self._objection(state)
            if objection:
                raise PermanentError(objection)
            until = env.now().replace(microsecond=0) + self.keep
            manifest = Manifest(what=self._what, key=key, until=until, pieces=state.pieces)
            await self._write(bucket, MANIFEST, manifest, Lock(self.mode, until))
        lock = Lock(self.mode, manifest.until)
        done = await self._copied(env, bucket, lock, state.model_copy(update={"manifest": manifest}))
        receipt = Receipt(
            kept=tuple(one for one in done if isinstance(one, Kept)),
            lost=tuple(one for one in done if isinstance(one, Lost)),
        )
        await self._write(bucket, RECEIPT, receipt, lock)

    async def _copied(self, env: Env, bucket: Bucket, lock: Lock, state: Preserved) -> list[Kept | Lost]:
        slots, source = asyncio.Semaphore(_AT_ONCE), await self._source(env) if self.from_bucket else None
        end = asyncio.get_running_loop().time() + _SLICE.total_seconds()

        async def one(piece: Piece) -> Kept | Lost | None:
            async with slots:
                if asyncio.get_running_loop().time() >= end:
                    return None
                name = f"{self.place}/{piece.name}"
                found = await bucket.kept(name, state.there.get(piece.name, ()), piece.size, lock)
                if found:
                    return found
                try:
                    await self._copy(env, bucket, source, piece, lock)
                except Gone as error:
                    return Lost(name=piece.name, reason=str(error))
                versions = [each.id for each in await bucket.versions(name) if each.name == name]
                found = await bucket.kept(name, versions, piece.size, lock)
                if found is None:
                    said = "has not locked it, or does not show it without s3:GetObjectRetention"
                    raise PermanentError(f"s3://{bucket.name}/{name} was written, and S3 {said}")
                return found

        done = await all_of([one(piece) for piece in state.pieces])
        left = sum(1 for each in done if each is None)
        if left:
            raise TransientError(f"{left} of {len(done)} copies are still to be made", retry_after=timedelta(seconds=1))
        return done

    async def _copy(self, env: Env, bucket: Bucket, source: Bucket | None, piece: Piece, lock: Lock) -> None:
        name = f"{self.place}/{piece.name}"
        if piece.object is None:
            await bucket.put(name, await evidence_store(env).get(piece.fact), lock, once=False)
        elif source is not None:
            await bucket.copy(source, piece.object, name, lock)

    async def _write(self, bucket: Bucket, name: str, what: Manifest | Receipt, lock: Lock) -> None:
        text = json.dumps(what.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False, indent=1)
        await bucket.put(f"{self.place}/{name}", text.encode(), lock, once=True)

    def settled(self, state: Preserved, after: JsonObject) -> Settlement:
        """Whether every copy is there, as the receipt says."""
        if self.owned(state) != after or state.manifest is None:
            return Settlement(state="broken", reason=f"{self._where} does not hold what was to be kept")
        if state.receipt is None:
            return Settlement(state="waiting", reason=f"left are {self.unfinished(state)}")
        kept = state.receipt.kept
        there = {(f"{self.place}/{name}", one) for name, versions in state.there.items() for one in versions}
        observed: JsonObject = {
            "place": self._where,
            "copies": len(kept),
            "bytes": sum(one.size for one in kept),
            "until": state.manifest.until.isoformat(),
            "receipt_version": state.there[RECEIPT][-1],
        }
        gone = [one.name for one in kept if (one.name, one.version) not in there]
        if gone:
            return Settlement(state="broken", reason=f"{_some(gone)} is gone from {self.bucket}", observed=observed)
        if state.receipt.lost:
            lost = _some([one.name for one in state.receipt.lost])
            reason = f"{len(kept)} copies are kept; changed or deleted before they were copied: {lost}"
            return Settlement(state="broken", reason=reason, observed=observed)
        return Settlement(state="settled", reason=f"{len(kept)} copies are locked", observed=observed)

    def undo(self, before: JsonObject, after: JsonObject) -> NoUndo:
        """There is none."""
        return NoUndo("evidence is locked so that it cannot be taken away before its time is over")

    def _objection(self, state: Preserved) -> str:
        """Why this cannot be kept."""
        if not state.locks:
            return f"bucket {self.bucket} was made without object lock: what is in it can be deleted"
        if state.manifest:
            return "" if self._complete(state.manifest) else f"{self._where} has a manifest that is none of Halon's"
        if state.there:
            return f"{self._where} holds something already, such as {next(iter(state.there))}: give another `folder`"
        return self._too_much(state.pieces)

    def _complete(self, manifest: Manifest) -> bool:
        """Whether a manifest has all that it says: who writes one in advance could leave the evidence out."""
        facts = {one.fact for one in manifest.pieces if one.fact}
        objects = any(one.object for one in manifest.pieces)
        return manifest.what == self._what and facts == set(self.facts) and objects == bool(self.from_bucket)

    def _too_much(self, pieces: Sequence[Piece]) -> str:
        objects, size = sum(1 for one in pieces if one.object), sum(one.size for one in pieces)
        if self.from_bucket and not objects:
            return f"nothing in s3://{self.from_bucket}/{self.from_prefix} can be copied"
        if objects > self.max_objects:
            return f"{objects} objects are more than `max_objects` allows ({self.max_objects})"
        if size > self.max_mib * _MIB:
            return f"{-(-size // _MIB)} MiB are more than `max_mib` allows ({self.max_mib})"
        large = [one.name for one in pieces if one.size > MAX_SIZE]
        if large:
            return f"{_some(large)} is larger than {MAX_SIZE // _MIB} MiB: copy it by hand, and name less here"
        long = [one.name for one in pieces if len(f"{self.place}/{one.name}".encode()) > MAX_NAME]
        return f"the name of {_some(long)} becomes too long: give a shorter `folder`" if long else ""

    @property
    def _what(self) -> JsonObject:
        """What is asked for, as the manifest has it."""
        return {
            "objects": f"s3://{self.from_bucket}/{self.from_prefix}" if self.from_bucket else "",
            "facts": [*sorted(set(self.facts))],
            "mode": self.mode,
            "keep": format_duration(self.keep),
        }

    @property
    def place(self) -> str:
        """The folder in the folder: other evidence of the same incident, such as of a later run, goes beside it."""
        return f"{self.folder}/{digest(self._what)[:_PLACE]}"

    @property
    def _where(self) -> str:
        return f"s3://{self.bucket}/{self.place}"

    async def _bucket(self, env: Env) -> Bucket:
        account = account_of(env, self.account)
        return Bucket(account, self.region, self.bucket, self.owner or (await account.identity())["account"])

    async def _source(self, env: Env) -> Bucket:
        account = account_of(env, self.account)
        region = self.from_region or self.region
        owner = self.from_owner or (await account.identity())["account"]
        return Bucket(account, region, self.from_bucket, owner)


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return f"{', '.join(names[:_SHOWN])}{f' and {more} more' if more > 0 else ''}"
