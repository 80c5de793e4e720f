// Package protocol is the vocabulary every other package shares: topics, actions, the decoded
// Message, connection ids and the limits a peer can run into. It knows nothing about bytes on a
// wire (see codec), sockets (see engine) or state (see the topic packages), so that a topic can be
// tested without any of them.
//
// # Invariants
//   - A constant's value is the number on the wire and never changes.
//   - The []byte fields of a decoded Message are views into the read buffer. They die when the
//     callback that received the Message returns; who keeps one, copies it.
//   - nil means absent. A non-nil empty slice means present and empty, which the official client
//     tells apart (see Message.Data).
//
// Cost: ConnID and Kind are integers with their parts packed; decoding a Message is the codec's.
// Source: the official protobuf schemas 1.1.0 and spec/wire.md. Stability: stable.
package protocol
