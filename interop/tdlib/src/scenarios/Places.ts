/**
 * Media that need no file: places, venues, contacts, link previews.
 */
import * as Effect from "effect/Effect"
import type * as Td from "tdlib-types"
import { check, ensure, equal, scenario } from "../Checks.ts"
import * as OurChat from "../OurChat.ts"
import * as Table from "../Table.ts"
import * as TdChat from "../TdChat.ts"

const content = <T extends Td.MessageContent["_"]>(tag: T) => (message: Td.message) =>
  message.content._ === tag ? message.content as Extract<Td.MessageContent, { readonly _: T }> : undefined

const near = (found: number, expected: number) => Math.abs(found - expected) < 1e-4

const play = Effect.gen(function*() {
  const table = yield* Table.Table
  const { ours, td } = yield* table.weCreate()

  yield* check(
    "media: geo point, ours to TDLib",
    Effect.gen(function*() {
      yield* OurChat.send(ours, {
        message: "",
        media: { _tag: "decryptedMessageMediaGeoPoint", lat: 48.137, long: 11.575 }
      })
      const { location } = yield* TdChat.receive(td, "place", content("messageLocation"))
      yield* ensure(near(location.latitude, 48.137) && near(location.longitude, 11.575), JSON.stringify(location))
    })
  )
  yield* check(
    "media: geo point, TDLib to ours",
    Effect.gen(function*() {
      yield* TdChat.submit(td, {
        _: "inputMessageLocation",
        location: { _: "location", latitude: -33.857, longitude: 151.215, horizontal_accuracy: 0 }
      })
      const media = yield* OurChat.receiveMedia(ours, "decryptedMessageMediaGeoPoint")
      yield* ensure(near(media.lat, -33.857) && near(media.long, 151.215), JSON.stringify(media))
    })
  )
  yield* check(
    "media: venue, ours to TDLib",
    Effect.gen(function*() {
      yield* OurChat.send(ours, {
        message: "",
        media: {
          _tag: "decryptedMessageMediaVenue",
          lat: 52.5,
          long: 13.4,
          title: "A tower",
          address: "At the square 1",
          provider: "foursquare",
          venueId: "v1"
        }
      })
      const { venue } = yield* TdChat.receive(td, "venue", content("messageVenue"))
      yield* equal([venue.title, venue.address, venue.provider, venue.id], [
        "A tower",
        "At the square 1",
        "foursquare",
        "v1"
      ])
    })
  )
  yield* check(
    "media: venue, TDLib to ours",
    Effect.gen(function*() {
      yield* TdChat.submit(td, {
        _: "inputMessageVenue",
        venue: {
          _: "venue",
          location: { _: "location", latitude: 1.5, longitude: 2.5, horizontal_accuracy: 0 },
          title: "A bridge",
          address: "Over the river 2",
          provider: "foursquare",
          id: "v2",
          type: ""
        }
      })
      const media = yield* OurChat.receiveMedia(ours, "decryptedMessageMediaVenue")
      yield* equal([media.title, media.address, media.provider, media.venueId], [
        "A bridge",
        "Over the river 2",
        "foursquare",
        "v2"
      ])
    })
  )
  yield* check(
    "media: contact, ours to TDLib",
    Effect.gen(function*() {
      yield* OurChat.send(ours, {
        message: "",
        media: {
          _tag: "decryptedMessageMediaContact",
          phoneNumber: "99966200001",
          firstName: "Kim",
          lastName: "Sample",
          userId: 0
        }
      })
      const { contact } = yield* TdChat.receive(td, "contact", content("messageContact"))
      yield* equal([contact.first_name, contact.last_name], ["Kim", "Sample"])
      yield* ensure(contact.phone_number.endsWith("99966200001"), contact.phone_number)
    })
  )
  yield* check(
    "media: contact, TDLib to ours",
    Effect.gen(function*() {
      yield* TdChat.submit(td, {
        _: "inputMessageContact",
        contact: {
          _: "contact",
          phone_number: "+99966200002",
          first_name: "Lee",
          last_name: "Example",
          vcard: "",
          user_id: 0
        }
      })
      const media = yield* OurChat.receiveMedia(ours, "decryptedMessageMediaContact")
      yield* equal([media.firstName, media.lastName], ["Lee", "Example"])
      yield* ensure(media.phoneNumber.endsWith("99966200002"), media.phoneNumber)
    })
  )
  yield* check(
    "media: web page, ours to TDLib",
    Effect.gen(function*() {
      const link = "https://example.com/page"
      yield* OurChat.send(ours, {
        message: `look: ${link}`,
        media: { _tag: "decryptedMessageMediaWebPage", url: link }
      })
      yield* TdChat.receiveText(td, `look: ${link}`)
    })
  )
})

/** Media without files. */
export const places = scenario("places", Effect.provide(play, Table.layer("places")))
