"""A user approves an app of GitHub: what GitHub does its own way, seen by a loopback server that
answers as GitHub's documents say.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from jackfield.testing import Answer, Provider, Request
from jackfield_store.runtime import Jackfield

BACK = "https://j.example/oauth2/callback"


class GitHub:
    """Token endpoint and API of GitHub. Each refresh token is good once; errors come with status
    200.
    """

    def __init__(self) -> None:
        self.forms: list[dict[str, str]] = []
        self.signed_in: list[str] = []
        self.good = "code-1"

    def __call__(self, _number: int, request: Request) -> Answer:
        """Answer a request."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        if request.path != "/login/oauth/access_token":
            self.signed_in.append(headers["authorization"])
            return Answer({"login": "octocat", "id": 1})
        assert (headers["accept"].startswith("application/json"), "authorization" in headers) == (
            True,
            False,
        )
        form = {name: value[0] for name, value in parse_qs(request.body.decode()).items()}
        self.forms.append(form)
        if (form.get("code") or form.get("refresh_token")) != self.good:
            return Answer(
                {
                    "error": "bad_refresh_token",
                    "error_description": "The refresh token passed is incorrect or expired.",
                }
            )
        self.good = f"ghr_{len(self.forms)}"
        return Answer(
            {
                "access_token": f"ghu_{len(self.forms)}",
                "expires_in": 5,
                "refresh_token": self.good,
                "refresh_token_expires_in": 15897600,
                "scope": "repo,gist",
                "token_type": "bearer",
            }
        )


def connected(jackfield: Jackfield, name: str, values: dict[str, str]) -> None:
    """Add a connection, and have a user approve it."""
    jackfield.connections.add(name, "github/oauth", values, test=False)
    authorizing = jackfield.connections.authorizing()
    begun = authorizing.begin(name, BACK)
    query = {key: value[0] for key, value in parse_qs(urlsplit(begun["url"]).query).items()}
    assert (query["client_id"], query["scope"], query["code_challenge_method"]) == (
        "Iv1.a",
        "repo gist",
        "S256",
    )
    authorizing.complete(begun["id"], {"code": "code-1", "state": query["state"]})


def test_a_user_approves_an_app_whose_tokens_expire(tmp_path: Path) -> None:
    """The client's secret goes in the body, scopes come with commas, a refresh token is rotated,
    and one that GitHub refuses, with status 200, ends the approval.
    """
    github = GitHub()
    call = {"connector": "github", "action": "getCurrentUser", "connection": "ada", "inputs": {}}
    with (
        Provider(github) as provider,
        Jackfield(
            database_url=f"sqlite:///{tmp_path}/j.db", environment={"JACKFIELD_HOME": str(tmp_path)}
        ) as jackfield,
    ):
        own = {
            "clientId": "Iv1.a",
            "clientSecret": "s3cret",
            "scopes": "repo gist",
            "server": provider.url,
        }
        jackfield.connections.add("usual", "github/oauth", own, test=False)
        begun = jackfield.connections.authorizing().begin("usual", BACK)
        assert begun["url"].startswith("https://github.com/login/oauth/authorize?")
        own |= {"tokenUrl": f"{provider.url}/login/oauth/access_token"}
        connected(jackfield, "ada", own)
        assert (
            github.forms[0].items()
            >= {"client_id": "Iv1.a", "client_secret": "s3cret", "redirect_uri": BACK}.items()
        )
        assert jackfield.connections.show("ada")["authorization"]["scopes"] == ["repo", "gist"]
        assert jackfield.invoke(call).unwrap()["login"] == "octocat"
        assert (github.forms[1]["refresh_token"], github.signed_in) == ("ghr_1", ["Bearer ghu_2"])
        github.good = "code-1"
        connected(jackfield, "bob", own)
        github.good = "used elsewhere"
        refused = jackfield.invoke({**call, "connection": "bob"}).error
        assert refused is not None
        assert "has ended: the provider no longer accepts it" in refused.message
        assert jackfield.connections.show("bob")["authorization"]["status"] == "ended"
