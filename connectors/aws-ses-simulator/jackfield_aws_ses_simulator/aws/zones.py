"""Amazon Route 53 (REST-XML): public hosted zones, their records, and changes, which are in sync at
once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree as ET

from jackfield_aws_ses_simulator.aws.call import ROUTE_53, Call
from jackfield_aws_ses_simulator.aws.ledger import Ledger
from jackfield_aws_ses_simulator.aws.refusals import Refusal
from jackfield_aws_ses_simulator.aws.resources import Body

_ZONE, _NOT_FOUND = "HostedZone", 404
_ROUTES = (
    ("GET", re.compile(r"/hostedzonesbyname"), "ListHostedZonesByName"),
    ("GET", re.compile(r"/hostedzone/(?P<HostedZoneId>[A-Z0-9]+)/rrset"), "ListResourceRecordSets"),
    (
        "POST",
        re.compile(r"/hostedzone/(?P<HostedZoneId>[A-Z0-9]+)/rrset/?"),
        "ChangeResourceRecordSets",
    ),
    ("GET", re.compile(r"/change/(?P<Id>[A-Z0-9]+)"), "GetChange"),
)
_QUERY = {
    "dnsname": "DNSName",
    "hostedzoneid": "HostedZoneId",
    "maxitems": "MaxItems",
    "name": "StartRecordName",
    "type": "StartRecordType",
}


def read_zones_call(call: Call) -> None:
    """Set a call's operation and parameters from its path, query and body.

    :raises Refusal: for a body that is no XML.
    """
    path = call.http.path.removeprefix(ROUTE_53)
    for method, pattern, operation in _ROUTES:
        match = pattern.fullmatch(path)
        if match and method == call.http.method:
            given = {
                _QUERY[name]: value for name, value in parse_qsl(call.http.query) if name in _QUERY
            }
            call.operation, call.parameters = (
                operation,
                {**given, **match.groupdict(), **_batch(call.http.body)},
            )


def _batch(body: bytes | bytearray) -> Body:
    try:
        root = ET.fromstring(bytes(body)) if body else None  # noqa: S314 (from this machine)
    except ET.ParseError:
        raise Refusal("InvalidInput", "The request body is not XML.") from None
    if root is None:
        return {}
    for part in root.iter():
        part.tag = part.tag.rpartition("}")[2]
    return {"ChangeBatch": {"Changes": [_change(one) for one in root.iter("Change")]}}


def _change(found: ET.Element) -> Body:
    texts = {
        name: found.findtext(f"ResourceRecordSet/{name}", "") for name in ("Name", "Type", "TTL")
    }
    values = [{"Value": one.text or ""} for one in found.iter("Value")]
    ttl = {"TTL": int(texts.pop("TTL"))} if texts["TTL"].isdecimal() else {}
    return {
        "Action": found.findtext("Action", ""),
        "ResourceRecordSet": {
            "Name": texts["Name"],
            "Type": texts["Type"],
            **ttl,
            "ResourceRecords": values,
        },
    }


def add_zone(ledger: Ledger, number: int, domain: str) -> None:
    """Add a public hosted zone."""
    key = f"Z{number:013d}"
    ledger.records[_ZONE, "", key] = {
        "Id": f"/hostedzone/{key}",
        "Name": _full(domain),
        "Records": {},
    }


def _full(name: str) -> str:
    return name.lower().rstrip(".") + "."


def _order(name: str) -> list[str]:
    """Return a name's labels from the last to the first, the sort key of Route 53."""
    return name.rstrip(".").split(".")[::-1]


def _zones(ledger: Ledger) -> list[Body]:
    found = [one for place, one in ledger.records.items() if place[0] == _ZONE and one is not None]
    return sorted(found, key=lambda one: _order(one["Name"]))


def _zone(ledger: Ledger, call: Call) -> Body:
    key = str(call.parameters["HostedZoneId"])
    found = ledger.records.get((_ZONE, "", key))
    if found is None:
        raise Refusal("NoSuchHostedZone", f"No hosted zone found with ID: {key}", _NOT_FOUND)
    return found


def _first(rows: Iterable[Any], call: Call) -> tuple[list[Any], bool, str]:
    most, found = str(call.parameters.get("MaxItems", "100")), [*rows]
    return found[: int(most)], len(found) > int(most), most


def _list_zones(ledger: Ledger, call: Call) -> Body:
    start = _order(_full(call.parameters.get("DNSName", ".")))
    found, more, most = _first(
        (zone for zone in _zones(ledger) if start == [""] or _order(zone["Name"]) >= start), call
    )
    shown = [
        {
            "Id": zone["Id"],
            "Name": zone["Name"],
            "CallerReference": zone["Id"],
            "Config": {"PrivateZone": False},
            "ResourceRecordSetCount": len(zone["Records"]),
        }
        for zone in found
    ]
    return {"HostedZones": shown, "IsTruncated": more, "MaxItems": most}


def _list_records(ledger: Ledger, call: Call) -> Body:
    records: Mapping[tuple[str, str], Body] = _zone(ledger, call)["Records"]
    name = call.parameters.get("StartRecordName")
    start = (_order(_full(name)) if name else [], call.parameters.get("StartRecordType", ""))
    ordered = sorted(records, key=lambda place: (_order(place[0]), place[1]))
    found, more, most = _first(
        (records[place] for place in ordered if (_order(place[0]), place[1]) >= start), call
    )
    return {"ResourceRecordSets": found, "IsTruncated": more, "MaxItems": most}


def _change_records(ledger: Ledger, call: Call) -> Body:
    zone = _zone(ledger, call)
    after = dict(zone["Records"])
    for change in call.parameters["ChangeBatch"]["Changes"]:
        record = {**change["ResourceRecordSet"], "Name": _full(change["ResourceRecordSet"]["Name"])}
        _apply(zone["Name"], after, change["Action"], record)
    zone["Records"] = after  # all changes of a batch or none
    return {"ChangeInfo": _info(ledger, f"C{len(after):013d}")}


def _apply(zone: str, records: dict[tuple[str, str], Body], action: str, record: Body) -> None:
    name, place = record["Name"], (record["Name"], record["Type"])
    if name != zone and not name.endswith(f".{zone}"):
        raise Refusal(
            "InvalidChangeBatch", f"RRSet with DNS name {name} is not permitted in zone {zone}"
        )
    if action == "CREATE" and place in records:
        raise Refusal(
            "InvalidChangeBatch",
            f"Tried to create resource record set [name='{name}', type='{place[1]}'] but it "
            "already exists",
        )
    if action == "DELETE":
        if records.pop(place, None) is None:
            raise Refusal(
                "InvalidChangeBatch",
                f"Tried to delete resource record set [name='{name}', type='{place[1]}'] but it "
                "was not found",
            )
        return
    others = {kind for other, kind in records if other == name and kind != place[1]}
    if "CNAME" in others or (place[1] == "CNAME" and others):
        raise Refusal(
            "InvalidChangeBatch",
            f"RRSet of type {place[1]} with DNS name {name} is not permitted beside a CNAME",
        )
    records[place] = record


def _get_change(ledger: Ledger, call: Call) -> Body:
    return {"ChangeInfo": _info(ledger, str(call.parameters["Id"]))}


def _info(ledger: Ledger, key: str) -> Body:
    return {"Id": f"/change/{key}", "Status": "INSYNC", "SubmittedAt": int(ledger.now())}


OPERATIONS: Mapping[str, Callable[[Ledger, Call], Body]] = {
    "ListHostedZonesByName": _list_zones,
    "ListResourceRecordSets": _list_records,
    "ChangeResourceRecordSets": _change_records,
    "GetChange": _get_change,
}
"""Operations by name; each returns the members of its response."""
