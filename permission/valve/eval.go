package valve

import (
	"deepstream-fast/lazyjson"
	"deepstream-fast/permission"
	"deepstream-fast/protocol"
)

// reason says why an evaluation failed. The texts never contain what a peer or a record said.
type reason uint8

const (
	reasonNone reason = iota
	reasonUnknownName
	reasonMemberOfNothing
	reasonNoMethod
	reasonNotText
	reasonInNothing
	reasonTooLong
	reasonRegex
	reasonRegexSlow
	reasonRegexArgument
	reasonPayload
	reasonMissingRecord
	reasonPatch
	reasonReferences
	reasonRounds
	reasonLoad
)

var reasonTexts = [...]string{
	reasonNone:            "no error",
	reasonUnknownName:     "this name means nothing here",
	reasonMemberOfNothing: "a member of undefined or null",
	reasonNoMethod:        "this value has no such method",
	reasonNotText:         "_() needs the name of a record, or undefined",
	reasonInNothing:       `the right side of "in" is neither object nor array`,
	reasonTooLong:         "text longer than 1 MiB",
	reasonRegex:           "the text is no regular expression that can be used here",
	reasonRegexSlow:       "the regular expression takes too long for this text",
	reasonRegexArgument:   "a regular expression as argument of this method",
	reasonPayload:         "the payload is not JSON",
	reasonMissingRecord:   "the record to patch does not exist",
	reasonPatch:           "the patch cannot be applied",
	reasonReferences:      "more records than a decision may refer to",
	reasonRounds:          "maxRuleIterations exceeded: records refer to records too deep",
	reasonLoad:            "a record could not be loaded",
}

// final reports whether more records would not help.
func (r reason) final() bool { return r == reasonReferences || r == reasonRounds }

// failure is why a run ended without a value, and the node that said so, if it was one.
type failure struct {
	why  reason
	node *node
}

// capturesMax is how many variables a path may have, parentheses included.
const capturesMax = 16

// captures are what a path's variables stand for, as offsets in the name; from -1 means undefined.
type captures [capturesMax]struct{ from, to int32 }

// run is one evaluation of one rule. It lives on the stack of its caller, which is why eval and all that
// it calls pass it down and never keep it.
type run struct {
	q    *permission.Question
	rule *rule
	vars captures
	opts *Options

	inquiry *inquiry // nil: reaching a record ends the run
	reached bool     // which is what it did
	failure failure
	trace   *trace // nil: nobody wants to know

	payload      value // of data, if payloadKnown
	payloadKnown bool
	firstKey     string  // of the first member that was looked up in the payload; "": none
	first        value   // that member
	now          float64 // 0: not asked yet
}

// throw ends the run.
func (r *run) throw(n *node, why reason) value {
	if r.failure.why == reasonNone {
		r.failure = failure{why, n}
	}
	return value{kind: kindThrown}
}

// eval returns the value of n, or one that failed. It only tells the operators apart: without values of its
// own its frame is small, and it is called for every node.
// Hot path: 0 allocs but for new text and arrays, see BenchmarkCheck.
func (r *run) eval(n *node) value {
	if r.trace != nil && r.trace.entered != n {
		return r.traced(n)
	}
	switch n.op {
	case opConst:
		return n.v
	case opUserID:
		return textValue(r.q.User.ID)
	case opMember:
		return r.member(n)
	case opStrictEqual, opStrictUnequal:
		return r.identity(n)
	case opAnd:
		return r.and(n)
	case opOr:
		return r.or(n)
	case opNot:
		return r.not(n)
	case opCond:
		return r.cond(n)
	case opUser, opFunction, opData, opOldData, opNow, opAction, opName, opVar, opUnknown:
		return r.variable(n)
	case opIndex:
		return r.subscript(n)
	case opChain:
		return r.chain(n)
	case opRef:
		return r.reference(n)
	case opMethod:
		return r.call(n)
	case opCoalesce:
		return r.coalesce(n)
	case opAdd:
		return r.add(n)
	case opArray, opObject:
		return r.literal(n)
	case opTemplate:
		return r.template(n)
	case opTypeof, opVoid, opNegate, opPlus, opBitNot:
		return r.unary(n)
	}
	return r.binary(n)
}

// traced is eval for somebody who wants to know.
func (r *run) traced(n *node) value {
	r.trace.entered = n
	v := r.eval(n)
	r.trace.entered = nil
	r.trace.note(n, v)
	return v
}

func (r *run) not(n *node) value {
	a := r.eval(n.a)
	if a.failed() {
		return a
	}
	return boolValue(!a.truthy())
}

func (r *run) cond(n *node) value {
	a := r.eval(n.a)
	switch {
	case a.failed():
		return a
	case a.truthy():
		return r.eval(n.b)
	}
	return r.eval(n.c)
}

// chain ends what ?. has skipped.
func (r *run) chain(n *node) value {
	a := r.eval(n.a)
	if a.kind == kindSkipped {
		return value{}
	}
	return a
}

// variable returns what an identifier stands for.
func (r *run) variable(n *node) value {
	switch n.op {
	case opUser:
		return value{kind: kindUser}
	case opFunction:
		return value{kind: kindFunction}
	case opData:
		return r.data(n)
	case opOldData:
		return r.oldData()
	case opNow:
		if r.now == 0 {
			r.now = float64(r.opts.Now().UnixMilli())
		}
		return numberValue(r.now)
	case opAction:
		return numberValue(float64(r.q.Action))
	case opName, opVar:
		if text, there := r.plain(n); there {
			return textValue(text)
		}
		return value{}
	}
	return r.throw(n, reasonUnknownName)
}

// data is the payload, or of a patch the document that it makes.
func (r *run) data(n *node) value {
	if r.payloadKnown {
		return r.payload
	}
	if isPatch(r.q) {
		return r.patched(n)
	}
	v := value{}
	if r.hasPayload() {
		if !checkData(r.q) {
			return r.throw(n, reasonPayload)
		}
		v = fromJSON(trimJSON(view(r.q.Data)))
	}
	r.payload, r.payloadKnown = v, true
	return v
}

// checkData reports whether what was sent is JSON, and keeps it in mind if it is.
func checkData(q *permission.Question) bool {
	q.Valid = q.Valid || lazyjson.Valid(q.Data)
	return q.Valid
}

// hasPayload reports whether data is what was sent. The official server ignores what comes with an event's
// SUBSCRIBE.
func (r *run) hasPayload() bool {
	return len(r.q.Data) > 0 && r.rule.kind != eventSubscribe && !isPatch(r.q)
}

// isPatch reports whether data is what a patch makes of the stored record. A path makes a patch, whatever
// the action is called.
func isPatch(q *permission.Question) bool {
	return q.Topic == protocol.TopicRecord && (q.Action == protocol.RecordPatchMulti ||
		len(q.Path) > 0 && (q.Action == protocol.RecordPatch || q.Action == protocol.RecordUpdate))
}
