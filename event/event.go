// Package event is the EVENT topic: fire-and-forget publications by exact name. It keeps no state
// but the subscriptions in the registry. Listening is package listen's.
//
// # Invariants
//   - The sender of an EMIT never gets it back.
//   - A subscriber gets name and data and nothing else a sender may have put into the message.
//   - Data that is not JSON reaches nobody: the official client would stop working on it.
//
// Cost: an EMIT is one permission decision, one scan of its data, which a rule that looks at the data has made
// already, and one publish; 0 allocations.
// Source: spec/events.md. Stability: internal, may change.
package event

import (
	"deepstream-fast/bulk"
	"deepstream-fast/fanout"
	"deepstream-fast/protocol"
)

// Space is the first byte of an event's registry key.
const Space = 'e'

var table = bulk.Topic{
	Topic:    protocol.TopicEvent,
	Space:    Space,
	Denied:   protocol.EventMessageDenied,
	Failed:   protocol.EventMessagePermissionError,
	Invalid:  protocol.EventInvalidMessageData,
	Multiple: protocol.EventMultipleSubscriptions,
}

// Handler handles the EVENT messages of one loop. Not safe for concurrent use.
type Handler struct {
	bulk *bulk.Runner
	fan  *fanout.Fanout
	obs  bulk.Observer
	emit protocol.Message // scratch
}

// New returns a Handler; obs hears of subscriptions, which is how listening learns of them.
func New(b *bulk.Runner, f *fanout.Fanout, obs bulk.Observer) *Handler {
	return &Handler{bulk: b, fan: f, obs: obs}
}

// Handle carries out m for peer. It reports false for an action that is not the client's to send or
// not this package's.
func (h *Handler) Handle(peer bulk.Peer, m *protocol.Message) bool {
	switch m.Action {
	case protocol.EventEmit:
		h.publish(peer, m)
	case protocol.EventSubscribe:
		h.bulk.Subscribe(&table, peer, m, h.obs)
	case protocol.EventUnsubscribe:
		h.bulk.Unsubscribe(&table, peer, m, h.obs)
	default:
		return false
	}
	return true
}

// publish delivers an EMIT. Hot path: 0 allocs, see BenchmarkEmit.
func (h *Handler) publish(peer bulk.Peer, m *protocol.Message) {
	if len(m.Name) == 0 {
		return
	}
	switch allowed, valid := h.bulk.AllowedData(&table, peer, m); {
	case !allowed:
		return
	case !valid:
		h.bulk.Invalid(&table, peer, m, m.Name)
		return
	}
	h.emit.Topic, h.emit.Action = protocol.TopicEvent, protocol.EventEmit
	h.emit.Name, h.emit.Data = m.Name, m.Data
	h.fan.Publish(h.bulk.Key(Space, m.Name), peer.ID, &h.emit)
	h.emit.Name, h.emit.Data = nil, nil
}

// Table returns the topic's table, for the actions that session handles itself.
func Table() *bulk.Topic { return &table }
