package record

import (
	"bytes"
	"math"

	"deepstream-fast/internal/invariant"
	"deepstream-fast/lazyjson"
	"deepstream-fast/protocol"
	"deepstream-fast/record/cache"
)

// emptyDoc is the data of a record created without any.
var emptyDoc = []byte("{}")

// run decides o if what it needs is known, and else says what that is and changes nothing.
func (h *Home) run(o *op) need {
	e, ok := h.look(o.Name)
	switch o.kind {
	case opNotify:
		return h.runNotify(o, e, ok)
	case opHead, opHeads:
		if o.Judge == nil {
			return h.runHead(o, e, ok)
		}
	}
	if !ok {
		return needData
	}
	switch o.kind {
	case opWrite:
		h.runWrite(o, e)
	case opDelete:
		return h.runDelete(o, e)
	case opSubscribe:
		h.runSubscribe(o, e)
	case opInspect:
		o.inspect(Snapshot{Version: e.Version, Data: e.Data})
	default:
		h.runRead(o, e)
	}
	return nothing
}

// denied asks the judge of o, and answers if it says no.
func (h *Home) denied(o *op, old []byte) bool {
	if o.Judge == nil {
		return false
	}
	why := o.Judge(old, nil)
	if why != 0 {
		h.deny(o, why)
	}
	return why != 0
}

func (h *Home) runRead(o *op, e cache.Entry) {
	switch {
	case h.denied(o, e.Data):
	case o.kind == opHead:
		h.tellVersion(o.From, protocol.RecordHeadResponse, o.Name, e.Version, nil)
	case e.Exists:
		h.tellVersion(o.From, protocol.RecordReadResponse, o.Name, e.Version, e.Data)
	default:
		h.fail(o, protocol.RecordNotFound)
	}
}

func (h *Home) runHead(o *op, e cache.Entry, ok bool) need {
	if !ok {
		t := h.find(o.Name)
		if t == nil || !t.headKnown {
			return needHead
		}
		e.Version = t.head
	}
	h.tellVersion(o.From, protocol.RecordHeadResponse, o.Name, e.Version, nil)
	return nothing
}

// runSubscribe answers with the record. All permissions come before a record is created (Q39).
func (h *Home) runSubscribe(o *op, e cache.Entry) {
	create := !e.Exists && o.Action == protocol.RecordSubscribeCreateAndRead
	switch {
	case create && o.Create != 0:
		h.deny(o, o.Create)
		return
	case h.denied(o, e.Data):
		return
	case create:
		if !h.keep(o, 0, emptyDoc) {
			h.fail(o, protocol.RecordCreateError)
			return
		}
		e = cache.Entry{Version: 0, Data: emptyDoc}
	case !e.Exists:
		e = cache.Entry{Version: protocol.AnyVersion, Data: emptyDoc}
	}
	h.tellVersion(o.From, protocol.RecordReadResponse, o.Name, e.Version, e.Data)
}

func (h *Home) runDelete(o *op, e cache.Entry) need {
	switch {
	case h.denied(o, e.Data):
		return nothing
	case e.Exists && h.stored(o.Name):
		return needTombstone
	case e.Exists:
		h.stats.CacheOnlyBytes -= len(o.Name) + len(e.Data)
		h.cache.Unpin(o.Name)
		h.cache.Remove(o.Name)
	}
	h.tell(o.From, protocol.RecordDeleteSuccess, o.Name)
	h.gone(o.Name, o.From)
	return nothing
}

// runNotify forgets the record, once the store has everything the Home had for it, and publishes what
// the store has now. Where there is no store the cache is what there is.
func (h *Home) runNotify(o *op, e cache.Entry, ok bool) need {
	if h.stored(o.Name) && !o.reloaded {
		if t := h.find(o.Name); t != nil && t.saving > 0 {
			return needSaves
		}
		h.forget(o.Name)
		o.reloaded, ok = true, false
	}
	if h.out.HasSubscribers(o.Name) {
		switch {
		case !ok:
			return needData
		case e.Exists:
			m := h.message(protocol.RecordUpdate, o.Name)
			m.Version, m.HasVersion, m.Data = e.Version, true, e.Data
			h.out.Broadcast(o.Name, 0, m, nil)
		default:
			h.gone(o.Name, 0)
		}
	}
	h.noticed(o.notice)
	return nothing
}

// runWrite decides one write, and publishes and acknowledges it.
func (h *Home) runWrite(o *op, e cache.Entry) {
	r := h.step(o, e)
	switch {
	case r.reject != 0:
		h.refuse(o, r.reject, e)
	case !h.keep(o, r.version, r.data):
		h.fail(o, protocol.RecordUpdateError)
	default:
		h.publish(o, r)
		if o.WantsAck && !h.stored(o.Name) {
			h.acknowledge(o.From, o.Name, o.CorrelationID)
		}
	}
	if cap(h.doc) > docKeepBytes {
		h.doc = nil
	}
}

// docKeepBytes is the largest scratch for a patched document that is kept.
const docKeepBytes = 1 << 20

// publish tells the subscribers of an accepted write. A version on the wire is always the resolved
// one; correlation id and the wish for an acknowledgement are the writer's own.
func (h *Home) publish(o *op, r result) {
	m := h.message(o.verb, o.Name)
	m.Version, m.HasVersion = r.version, true
	m.Path, m.Data = o.Path, o.Data
	var full []byte
	if o.verb == protocol.RecordPatchMulti {
		full = r.data
	}
	h.out.Broadcast(o.Name, o.From, m, full)
}

// result is what becomes of a write: rejected, or the record as it is after it.
type result struct {
	reject  protocol.Action
	version int32
	data    []byte // a view of the request, or of Home.doc
}

// step decides the fate of one write on a record that is e. It changes nothing but scratch. A write must
// carry the current version plus one; AnyVersion stands for exactly that, and no version for none. What
// cannot be applied, and what may not be written, is found out first: a conflict is answered with the
// current record. Source: spec records.md §5.2, §5.3, §5.5.
func (h *Home) step(o *op, e cache.Entry) result {
	old := e.Data
	if !e.Exists {
		switch {
		case !o.upsert:
			return result{reject: protocol.RecordUpdateError}
		case o.Create != 0:
			return result{reject: o.Create}
		}
		e = created
	}
	data, ok := h.apply(o, e.Data)
	if !ok {
		return result{reject: protocol.RecordInvalidMessageData}
	}
	if o.Judge != nil {
		if why := o.Judge(old, data); why != 0 {
			return result{reject: why}
		}
	}
	switch {
	case !o.HasVersion || o.Version != protocol.AnyVersion && o.Version <= e.Version:
		return result{reject: protocol.RecordVersionExists}
	case o.Version != protocol.AnyVersion && o.Version-e.Version != 1:
		return result{reject: protocol.RecordInvalidVersion}
	case e.Version == math.MaxInt32: // there is no version left
		return result{reject: protocol.RecordUpdateError}
	}
	if invariant.Enabled && !lazyjson.Valid(data) {
		invariant.Assert(false, "record: %q would become %q", o.Name, data)
	}
	return result{version: e.Version + 1, data: data}
}

// created is what a write that may create a record starts from.
var created = cache.Entry{Version: 0, Data: emptyDoc, Exists: true}

// apply returns doc as o leaves it, or false if it cannot be applied.
func (h *Home) apply(o *op, doc []byte) ([]byte, bool) {
	if o.verb == protocol.RecordUpdate {
		return o.Data, len(o.Data) <= h.opts.RecordBytesMax
	}
	var err error
	if o.verb == protocol.RecordPatchMulti {
		h.opts.Parses.Add(lazyjson.ReasonPatchMulti)
		h.doc, err = lazyjson.SetMulti(h.doc[:0], doc, o.Data)
	} else {
		h.doc, err = h.patch(o, doc)
	}
	return h.doc, err == nil && len(h.doc) <= h.opts.RecordBytesMax
}

func (h *Home) patch(o *op, doc []byte) ([]byte, error) {
	h.opts.Parses.Add(lazyjson.ReasonPatch)
	path, _ := lazyjson.ParsePath(o.Path) // normalise has refused what is none
	if o.Data == nil {
		return lazyjson.Erase(h.doc[:0], doc, path)
	}
	return lazyjson.Set(h.doc[:0], doc, path, o.Data)
}

// validity is what is known of a write's Data.
type validity uint8

const (
	unchecked validity = iota
	valid
	malformed
)

// Validate checks that the data is JSON. Home.Write does it if nobody has; done before, it costs the
// sender's loop and not the home.
func (w *Write) Validate() {
	if w.checked != unchecked {
		return
	}
	if w.checked = valid; w.Data != nil && !lazyjson.Valid(w.Data) {
		w.checked = malformed
	}
}

// MarkValid says that the data is known to be JSON, which leaves Validate nothing to do.
func (w *Write) MarkValid() { w.checked = valid }

// normalise reduces what a client sends to three verbs: whether a path is there decides, not the
// action. Source: spec records.md §5.1, §5.2, §7.5, §10.
func (o *op) normalise(hotPaths []string) {
	o.upsert = o.Action == protocol.RecordCreateAndUpdate || o.Action == protocol.RecordCreateAndPatch
	if o.Action == protocol.RecordErase {
		o.Data, o.checked = nil, valid
	}
	ok := o.checked == valid
	switch first := opener(o.Data); {
	case o.Action == protocol.RecordPatchMulti:
		o.verb, o.Path = protocol.RecordPatchMulti, nil
		ok = ok && first == '['
	case len(o.Path) > 0:
		o.verb = protocol.RecordPatch
		_, err := lazyjson.ParsePath(o.Path)
		ok = ok && err == nil
	default:
		o.verb, o.Path = protocol.RecordUpdate, nil
		ok = ok && (first == '{' || first == '[')
	}
	if !ok {
		o.invalid = protocol.RecordInvalidMessageData
	}
	if !o.upsert || !hasPrefix(o.Name, hotPaths) {
		return
	}
	if o.verb == protocol.RecordPatch {
		o.invalid = protocol.RecordInvalidPatchOnHotpath
	}
	o.Version, o.HasVersion = protocol.AnyVersion, true
}

// opener returns the first character of JSON text, or 0.
func opener(data []byte) byte {
	if data = bytes.TrimLeft(data, " \t\r\n"); len(data) == 0 {
		return 0
	}
	return data[0]
}

// isNull reports whether a stored document is null, which counts as none.
func isNull(data []byte) bool { return string(bytes.Trim(data, " \t\r\n")) == "null" }
