package record

import (
	"deepstream-fast/protocol"
	"deepstream-fast/record/cache"
)

// message fills the scratch message.
func (h *Home) message(action protocol.Action, name []byte) *protocol.Message {
	h.msg = protocol.Message{Topic: protocol.TopicRecord, Action: action, Name: name}
	return &h.msg
}

// present leaves empty fields out: the official client takes an empty correlation id for none.
func present(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

func (h *Home) tell(to protocol.ConnID, action protocol.Action, name []byte) {
	h.out.Send(to, h.message(action, name))
}

func (h *Home) tellVersion(to protocol.ConnID, action protocol.Action, name []byte, version int32, data []byte) {
	m := h.message(action, name)
	m.Version, m.HasVersion, m.Data = version, true, data
	h.out.Send(to, m)
}

// tellVersions sends the collected versions.
func (h *Home) tellVersions(to protocol.ConnID) {
	if len(h.versions) > 0 {
		m := h.message(protocol.RecordHeadResponseBulk, nil)
		m.Versions = h.versions
		h.out.Send(to, m)
		m.Versions = nil
	}
	h.versions = drop(h.versions)
}

func (h *Home) tellError(to protocol.ConnID, action, original protocol.Action, name []byte) {
	m := h.message(action, name)
	m.OriginalAction, m.IsError = original, true
	h.out.Send(to, m)
}

// sendBack sends m, an answer to o, with what pairs it with the request.
func (h *Home) sendBack(o *op, m *protocol.Message) {
	m.CorrelationID, m.IsWriteAck = present(o.CorrelationID), o.WantsAck
	h.out.Send(o.From, m)
}

// acknowledge tells a writer that its write is kept.
func (h *Home) acknowledge(to protocol.ConnID, name, correlationID []byte) {
	m := h.message(protocol.RecordWriteAcknowledgement, name)
	m.CorrelationID, m.IsWriteAck = present(correlationID), true
	h.out.Send(to, m)
}

// answerSave tells the writer of a save what came of it.
func (h *Home) answerSave(a *ask, ok bool) {
	if ok {
		h.acknowledge(a.from, a.t.name, a.correlationID)
		return
	}
	m := h.message(protocol.RecordUpdateError, a.t.name)
	m.CorrelationID, m.IsWriteAck, m.IsError = present(a.correlationID), true, true
	h.out.Send(a.from, m)
}

// deny answers o with a permission's verdict, under the action the client knows.
func (h *Home) deny(o *op, why protocol.Action) {
	if o.Refused != nil && (why == protocol.RecordMessageDenied || why == protocol.RecordMessagePermissionError) {
		o.Refused()
	}
	m := h.message(why, o.Name)
	m.OriginalAction, m.IsError = o.Action, true
	h.sendBack(o, m)
	h.undo(o)
}

// undo ends the subscription that o began.
func (h *Home) undo(o *op) {
	if o.kind == opSubscribe && o.fresh {
		h.out.Unsubscribe(o.From, o.Name)
	}
}

// fail answers a request that the world did not let through. Of a failed subscription the client's
// application learns by RECORD_UPDATE_ERROR only, and a delete is settled by nothing else.
// Source: spec records.md §3, §5.6, §5.7, §11, §15.
func (h *Home) fail(o *op, why protocol.Action) {
	switch o.kind {
	case opWrite:
		m := h.message(protocol.RecordUpdateError, o.Name)
		m.IsError = true
		h.sendBack(o, m)
	case opDelete:
		h.tellError(o.From, protocol.RecordDeleteError, 0, o.Name)
		h.tellError(o.From, protocol.RecordUpdateError, o.Action, o.Name)
	case opInspect:
		o.inspect(Snapshot{Version: protocol.AnyVersion, Failed: why})
	case opNotify:
		h.tellError(o.From, why, o.Action, o.Name)
		h.noticed(o.notice)
	case opHeads, opSubscribe:
		h.tellError(o.From, why, o.Action, o.Name)
		h.tellError(o.From, protocol.RecordUpdateError, o.Action, o.Name)
		h.undo(o)
	default:
		h.tellError(o.From, why, o.Action, o.Name)
	}
}

// refuse answers a write that was rejected; e is the record. What a client sent goes back to it, unless
// it is no JSON: the client parses all data and would throw. Source: spec records.md §5.2, §5.3, §5.6.
func (h *Home) refuse(o *op, why protocol.Action, e cache.Entry) {
	switch why {
	case protocol.RecordVersionExists:
		h.tellConflict(o, e)
	case protocol.RecordInvalidVersion, protocol.RecordInvalidMessageData:
		m := h.message(why, o.Name)
		m.OriginalAction, m.IsError = o.verb, true
		m.Version, m.HasVersion, m.Path = o.Version, o.HasVersion, o.Path
		if o.checked == valid {
			m.Data = o.Data
		}
		h.sendBack(o, m)
	case protocol.RecordUpdateError:
		h.fail(o, why)
	default: // INVALID_PATCH_ON_HOTPATH, or a permission's verdict
		h.deny(o, why)
	}
}

// tellConflict sends the current record, which settles no promise, then what does.
func (h *Home) tellConflict(o *op, e cache.Entry) {
	if !e.Exists {
		e = created
	}
	m := h.message(protocol.RecordVersionExists, o.Name)
	m.OriginalAction = o.verb
	m.Version, m.HasVersion, m.Data = e.Version, true, e.Data
	h.sendBack(o, m)
	if o.WantsAck {
		m = h.message(protocol.RecordUpdateError, o.Name)
		m.OriginalAction, m.IsError = o.verb, true
		h.sendBack(o, m)
	}
}
