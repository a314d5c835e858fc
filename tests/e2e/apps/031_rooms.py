"""What things are to be done in."""

from pydantic import BaseModel

from pipulate import Resource


class Room(BaseModel):
    """A room."""

    name: str


rooms = Resource("rooms", Room, title="Rooms", key="name", sort="name")
