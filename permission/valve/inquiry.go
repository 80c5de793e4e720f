package valve

import (
	"strings"

	"deepstream-fast/lazyjson"
	"deepstream-fast/permission"
	"deepstream-fast/protocol"
)

// An inquiry evaluates its rule in rounds:
//
//	round n = 1, 2, …
//	  if n > RoundsMax                 → Failed
//	  ask for the record, if the rule mentions oldData, or data of a patch
//	  evaluate; what is not loaded yet is undefined, and evaluation goes on
//	  if records are wanted            → Pending; result and errors do not count
//	  else                             → the result
//	a record that cannot be read       → Failed, at once
//
// So a rule may follow references RoundsMax - 1 deep, and what it finds in one round is loaded at once.
// Source: rule application of the official server.
type inquiry struct {
	checker *Checker
	run     run // a template of each round's
	rounds  int
	records []loaded
	waiting int

	final  bool
	answer permission.Answer
	patch  []byte // the patched document, made once
}

// loaded is a record that the rule refers to.
type loaded struct {
	name string
	data value // null if there is none
	here bool
}

// referencesMax is how many records one decision may refer to.
const referencesMax = 64

// nameBytesMax is the longest name of a record; longer ones have none.
const nameBytesMax = 1<<16 - 1

// Inquire implements permission.Inquirer.
func (c *Checker) Inquire(q *permission.Question) permission.Inquiry {
	c.inquiries.Add(1)
	i := &inquiry{checker: c, run: run{q: q, opts: &c.opts}}
	k := kindOf(q.Topic, q.Action)
	if k == noRule {
		return i.decide(permission.Allow)
	}
	i.run.rule = c.rules.find(k, q.Name, &i.run.vars)
	switch {
	case i.run.rule == nil:
		return i.decide(c.deny(&i.run))
	case i.run.rule.constant && i.run.rule.answer == permission.Allow:
		return i.decide(permission.Allow)
	case i.run.rule.constant:
		return i.decide(c.deny(&i.run))
	}
	return i
}

func (i *inquiry) decide(a permission.Answer) *inquiry {
	i.final, i.answer = true, a
	return i
}

// Next implements permission.Inquiry.
func (i *inquiry) Next() (permission.Answer, []string) {
	switch {
	case i.final:
		return i.answer, nil
	case i.waiting > 0:
		return permission.Pending, nil // too early
	}
	r := i.run
	r.inquiry = i
	v := i.round(&r)
	if r.trace != nil {
		r.trace.failed = r.failure
	}
	if want := i.wanted(); want != nil && !r.failure.why.final() {
		i.checker.loads.Add(uint64(len(want)))
		return permission.Pending, want
	}
	return i.decide(i.checker.conclude(&r, v)).answer, nil
}

// round evaluates once.
func (i *inquiry) round(r *run) value {
	if r.trace != nil {
		r.trace.begin()
	}
	if i.rounds++; i.rounds > i.checker.opts.RoundsMax {
		return r.throw(nil, reasonRounds)
	}
	if r.rule.uses.loadsAtOnce(r.q) {
		i.record(string(r.q.Name))
	}
	return r.eval(r.rule.root)
}

// wanted returns the names of the records to be loaded now.
func (i *inquiry) wanted() (names []string) {
	for _, rec := range i.records {
		if !rec.here {
			names = append(names, rec.name)
		}
	}
	i.waiting = len(names)
	return names
}

// Loaded implements permission.Inquiry.
func (i *inquiry) Loaded(name string, data []byte, err error) {
	for n := range i.records {
		rec := &i.records[n]
		if rec.name != name || rec.here {
			continue
		}
		rec.here, rec.data = true, value{kind: kindNull}
		if data != nil {
			rec.data = fromJSON(trimJSON(view(data)))
		}
		i.waiting--
		if err != nil && !i.final {
			i.unreadable(name, err)
		}
		return
	}
}

// unreadable ends an inquiry whose record could not be read.
func (i *inquiry) unreadable(name string, err error) {
	c := i.checker
	c.loadErrors.Add(1)
	c.failed.Add(1)
	i.run.failure = failure{why: reasonLoad}
	i.decide(permission.Failed)
	if c.log.allow(c.opts.Now()) {
		c.opts.Log.Error("permission rule: record could not be loaded", "event", eventLoad, "namespace", namespace,
			"record", name, "error", err.Error(), "rule", i.run.rule.text, "at", i.run.rule.where(nil))
	}
}

// record returns the record name, or nil if it has to be loaded first. There is room for it: see
// reference.
func (i *inquiry) record(name string) *loaded {
	for n := range i.records {
		if i.records[n].name == name {
			if i.records[n].here {
				return &i.records[n]
			}
			return nil
		}
	}
	i.records = append(i.records, loaded{name: strings.Clone(name)})
	return nil
}

// await ends a run in Check, where records cannot be loaded.
func (r *run) await() value {
	r.reached = true
	return value{kind: kindThrown}
}

// oldData is the stored record, null if there is none, undefined while it loads.
func (r *run) oldData() value {
	if r.inquiry == nil {
		return r.await()
	}
	if rec := r.inquiry.record(string(r.q.Name)); rec != nil {
		return rec.data
	}
	return value{}
}

// reference is _(name).
func (r *run) reference(n *node) value {
	var name value
	for i, arg := range n.list {
		v := r.eval(arg)
		if v.failed() {
			return v
		}
		if i == 0 {
			name = v
		}
	}
	switch {
	case name.kind == kindUndefined || name.kind == kindText && strings.Contains(name.text, "undefined"):
		return value{} // half a name, while what the other half comes from loads
	case name.kind != kindText:
		return r.throw(n, reasonNotText)
	case name.text == "" || len(name.text) > nameBytesMax:
		return value{kind: kindNull} // no record has such a name
	case r.inquiry == nil:
		return r.await()
	case len(r.inquiry.records) >= referencesMax && !r.inquiry.knows(name.text):
		return r.throw(n, reasonReferences)
	}
	if rec := r.inquiry.record(name.text); rec != nil {
		return rec.data
	}
	return value{}
}

func (i *inquiry) knows(name string) bool {
	for n := range i.records {
		if i.records[n].name == name {
			return true
		}
	}
	return false
}

// patched is the stored record with the patch applied, undefined while it loads.
func (r *run) patched(n *node) value {
	i := r.inquiry
	if i == nil {
		return r.await()
	}
	rec := i.record(string(r.q.Name))
	switch {
	case rec == nil:
		return value{}
	case i.patch == nil:
		doc := rec.data.text
		if rec.data.kind != kindJSONObject && rec.data.kind != kindJSONArray {
			if !r.q.Create {
				return r.throw(n, reasonMissingRecord)
			}
			doc = "{}"
		}
		var why reason
		if i.patch, why = applyPatch([]byte(doc), r.q); why != reasonNone {
			return r.throw(n, why)
		}
	}
	r.payload, r.payloadKnown = fromJSON(trimJSON(view(i.patch))), true
	return r.payload
}

// applyPatch returns what the patch in q makes of doc.
func applyPatch(doc []byte, q *permission.Question) ([]byte, reason) {
	if q.Data != nil && !checkData(q) {
		return nil, reasonPayload
	}
	if q.Action == protocol.RecordPatchMulti {
		return patchOutcome(lazyjson.SetMulti(nil, doc, q.Data))
	}
	path, err := lazyjson.ParsePath(q.Path)
	switch {
	case err != nil:
		return nil, reasonPatch
	case len(q.Data) == 0:
		return patchOutcome(lazyjson.Erase(nil, doc, path))
	}
	return patchOutcome(lazyjson.Set(nil, doc, path, q.Data))
}

func patchOutcome(doc []byte, err error) ([]byte, reason) {
	if err != nil {
		return nil, reasonPatch
	}
	return doc, reasonNone
}
