"""Parcel for jackfield: send parcels and print their labels."""

from base64 import b64encode

from jackfield.connector import Connector, Field, File, Inputs, Output
from jackfield_http import ApiKey, HttpClient, Job, PageInputs, Pages


class ParcelKey(ApiKey):
    """A parcel server and a key for it."""

    key, title, name, probe = "parcelKey", "Parcel Key", "X-Parcel-Key", "/account"


connector = Connector("parcel", title="Parcel", version="1.0.0", description="Send parcels.", connections=[ParcelKey])
PAGES = Pages.token("after", next="/nextToken", items="/parcels")


class NewParcel(Inputs):
    """Parcel to send."""

    name: str = Field(description="The recipient.", schema={"minLength": 1})


class ParcelId(Inputs):
    """Parcel to look at."""

    id: str = Field(description="The parcel's ID.", schema={"minLength": 1})


class WantedLabel(ParcelId):
    """Label to print."""

    job: str | None = Field(None, description="The print job to wait for, if one was started before.")


class Photo(ParcelId):
    """Photo of a parcel."""

    photo: File = Field(description="The photo.")


class Parcel(Output):
    """A parcel as the server has it."""

    id: str = Field(description="The parcel's ID.")


class Parcels(Output):
    """A page of parcels."""

    parcels: tuple[Parcel, ...] = Field(description="The parcels.")
    next_token: str | None = Field(None, description="Where the next page begins.")


class Label(Output):
    """A printed label."""

    id: str = Field(description="The ID of the print job.")
    state: str = Field(description="The state of the print job.")
    pdf: str = Field(description="The label's PDF.", schema={"contentEncoding": "base64"})


@connector.action("addParcel", effect="idempotent", idempotent_by="key", key_kept=86400, examples=[({"name": "Ada"}, {"id": "p1"})])
def add_parcel(parcel: NewParcel, api: HttpClient) -> Parcel:
    """Add a parcel."""
    return Parcel(id=api.post("/parcels", json={"name": parcel.name}, idempotent=True).json("/id"))


@connector.action("findParcel", effect="read", examples=[({"id": "p1"}, {"id": "p1"})])
def find_parcel(wanted: ParcelId, api: HttpClient) -> Parcel:
    """Find a parcel."""
    return Parcel(id=api.get("/parcels/{id}", {"id": wanted.id}).json("/id"))


@connector.action("listParcels", effect="read", pagination=PAGES.pagination("parcels"), examples=[({}, {"parcels": []})])
def list_parcels(asked: PageInputs, api: HttpClient) -> Parcels:
    """List parcels."""
    page = PAGES.fetch(api, "/parcels", asked)
    return Parcels(parcels=tuple(Parcel(id=item["id"]) for item in page.items), next_token=page.next)


@connector.action("addPhoto", effect="write", examples=[({"id": "p1", "photo": "data:image/png,x"}, {"id": "p1"})])
def add_photo(photo: Photo, api: HttpClient) -> Parcel:
    """Add a photo to a parcel."""
    return Parcel(id=api.post("/parcels/{id}/photos", {"id": photo.id}, multipart={"photo": photo.photo}).json("/id"))


@connector.action("printLabel", effect="write", examples=[({"id": "p1"}, {"id": "j1", "state": "done", "pdf": "JVBERg=="})])
def print_label(wanted: WantedLabel, api: HttpClient) -> Label:
    """Print the label of a parcel, and wait for it."""
    job = wanted.job or api.post("/labels", json={"parcel": wanted.id}).json("/id")
    Job("/state", done=("done",), failed=("failed",)).wait(api, "/labels/{id}", {"id": job})
    return Label(id=job, state="done", pdf=b64encode(api.get("/labels/{id}/pdf", {"id": job}).content).decode())
