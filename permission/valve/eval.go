package valve

import (
	"math"
	"strings"

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

// userMember returns a member of the variable user.
func (r *run) userMember(key string) (value, bool) {
	u := r.q.User
	switch key {
	case "id":
		return textValue(u.ID), true
	case "isAuthenticated":
		return boolValue(u.ID != "open"), true
	case "data":
		if len(u.ServerData) == 0 {
			return value{kind: kindNull}, true
		}
		return fromJSON(trimJSON(view(u.ServerData))), true
	}
	return value{}, false
}

// get returns member key of v.
func (r *run) get(v value, key string) (value, bool) {
	if v.kind == kindUser {
		return r.userMember(key)
	}
	return v.get(key)
}

// object evaluates the left side of a member or call. If done, v is the result of the whole.
func (r *run) object(n *node) (v value, done bool) { return r.objectFrom(r.eval(n.a), n) }

func (r *run) objectFrom(v value, n *node) (_ value, done bool) {
	switch {
	case v.kind >= kindThrown:
		return v, true
	case !v.nullish():
		return v, false
	case n.optional:
		return value{kind: kindSkipped}, true
	}
	return r.throw(n, reasonMemberOfNothing), true
}

func (r *run) member(n *node) value {
	if n.a.op == opData && r.trace == nil && r.hasPayload() {
		return r.dataMember(n)
	}
	return r.memberOf(r.eval(n.a), n)
}

// memberOf is member of v.
func (r *run) memberOf(v value, n *node) value {
	v, done := r.objectFrom(v, n)
	if done {
		return v
	}
	v, _ = r.get(v, n.text)
	return v
}

// dataMember is member of the payload. The first one is remembered: rules tend to ask for more than one thing
// about it, and it takes a look at all of the payload to find it.
func (r *run) dataMember(n *node) value {
	switch {
	case !r.payloadKnown:
		v := r.firstMember(n)
		if r.payload.kind == kindJSONObject {
			r.firstKey, r.first = n.text, v
		}
		return v
	case r.firstKey == n.text:
		return r.first
	}
	return r.memberOf(r.payload, n)
}

// firstMember is member for the first look at the payload, which checks it in the same pass if nobody has.
func (r *run) firstMember(n *node) value {
	if r.q.Valid {
		return r.memberOf(r.data(n.a), n)
	}
	raw, found, valid := lazyjson.Find(r.q.Data, n.key)
	if !valid {
		return r.throw(n.a, reasonPayload)
	}
	r.q.Valid = true
	v := r.data(n.a)
	switch {
	case found:
		return fromJSON(view(raw))
	case v.kind == kindJSONObject:
		return value{}
	}
	return r.memberOf(v, n)
}

func (r *run) subscript(n *node) value {
	v, done := r.object(n)
	if done {
		return v
	}
	key := r.eval(n.b)
	if key.failed() {
		return key
	}
	if key.kind == kindNumber && (v.isArray() || v.kind == kindText) {
		if i := int(key.n); float64(i) == key.n && i >= 0 {
			v, _ = v.at(i)
			return v
		}
		return value{}
	}
	text, ok := toText(key)
	if !ok {
		return r.throw(n, reasonTooLong)
	}
	v, _ = r.get(v, text)
	return v
}

func (r *run) identity(n *node) value {
	if n.plain && r.trace == nil {
		a, thereA := r.plain(n.a)
		b, thereB := r.plain(n.b)
		return boolValue((thereA == thereB && a == b) == (n.op == opStrictEqual))
	}
	a := r.eval(n.a)
	if a.failed() {
		return a
	}
	b := r.eval(n.b)
	if b.failed() {
		return b
	}
	return boolValue(strictEqual(a, b) == (n.op == opStrictEqual))
}

// plain returns the text that n is, see isPlain, or that it is undefined. Ids and names are what most rules
// compare, and without values in between it takes a third of the time.
func (r *run) plain(n *node) (text string, there bool) {
	switch n.op {
	case opUserID:
		return r.q.User.ID, true
	case opVar:
		c := r.vars[n.index]
		if c.from < 0 {
			return "", false
		}
		return view(r.q.Name[c.from:c.to]), true
	case opName:
		return view(r.q.Name), r.q.Name != nil
	}
	return n.v.text, true
}

func (r *run) and(n *node) value {
	var v value
	for _, operand := range n.list {
		if v = r.eval(operand); !v.truthy() {
			break
		}
	}
	return v
}

func (r *run) or(n *node) value {
	var v value
	for _, operand := range n.list {
		if v = r.eval(operand); v.failed() || v.truthy() {
			break
		}
	}
	return v
}

func (r *run) coalesce(n *node) value {
	var v value
	for _, operand := range n.list {
		if v = r.eval(operand); !v.nullish() {
			break
		}
	}
	return v
}

// literal makes a new array or object, as each evaluation of one does.
func (r *run) literal(n *node) value {
	h := &heap{elems: make([]value, 0, len(n.list)), keys: n.keys}
	for _, e := range n.list {
		v := r.eval(e)
		if v.failed() {
			return v
		}
		h.elems = append(h.elems, v)
	}
	if n.op == opArray {
		return heapValue(kindArray, h)
	}
	return heapValue(kindObject, h)
}

func (r *run) template(n *node) value {
	var b strings.Builder
	for _, part := range n.list {
		v := r.eval(part)
		if v.failed() {
			return v
		}
		s, ok := toText(v)
		if !ok || b.Len()+len(s) > textBytesMax {
			return r.throw(n, reasonTooLong)
		}
		b.WriteString(s)
	}
	return textValue(b.String())
}

func (r *run) unary(n *node) value {
	if n.op == opTypeof && n.a.op == opUnknown {
		return textValue("undefined") // the one place where an unknown name does no harm
	}
	a := r.eval(n.a)
	if a.failed() {
		return a
	}
	switch n.op {
	case opTypeof:
		return textValue(a.typeName())
	case opVoid:
		return value{}
	}
	p, ok := primitive(a)
	if !ok {
		return r.throw(n, reasonTooLong)
	}
	x := toNumber(p)
	switch n.op {
	case opNegate:
		return numberValue(-x)
	case opPlus:
		return numberValue(x)
	}
	return numberValue(float64(^toInt32(x)))
}

// add adds numbers or joins text, from left to right. ECMAScript §13.15.3.
func (r *run) add(n *node) value {
	sum := r.eval(n.list[0])
	for _, operand := range n.list[1:] {
		if sum.failed() {
			return sum
		}
		b := r.eval(operand)
		if b.failed() {
			return b
		}
		if sum.kind == kindNumber && b.kind == kindNumber {
			sum.n += b.n
			continue
		}
		sum = r.plus(n, sum, b)
	}
	return sum
}

func (r *run) plus(n *node, a, b value) value {
	a, okA := primitive(a)
	b, okB := primitive(b)
	if !okA || !okB {
		return r.throw(n, reasonTooLong)
	}
	if a.kind != kindText && b.kind != kindText {
		return numberValue(toNumber(a) + toNumber(b))
	}
	left, right := scalarText(a), scalarText(b)
	if len(left)+len(right) > textBytesMax {
		return r.throw(n, reasonTooLong)
	}
	return textValue(left + right)
}

// binary computes the operators with two operands that always evaluate both.
func (r *run) binary(n *node) value {
	a := r.eval(n.a)
	if a.failed() {
		return a
	}
	b := r.eval(n.b)
	if b.failed() {
		return b
	}
	switch n.op {
	case opEqual, opUnequal:
		equal, ok := looseEqual(a, b)
		if !ok {
			return r.throw(n, reasonTooLong)
		}
		return boolValue(equal == (n.op == opEqual))
	case opIn:
		return r.in(n, a, b)
	}
	ordering := n.op >= opLess && n.op <= opGreaterEqual
	if a.kind == kindNumber && b.kind == kindNumber && ordering {
		return boolValue(order(n.op, a.n, b.n))
	}
	a, okA := primitive(a)
	b, okB := primitive(b)
	switch {
	case !okA || !okB:
		return r.throw(n, reasonTooLong)
	case ordering:
		return boolValue(compare(n.op, a, b))
	}
	return numberValue(arithmetic(n.op, toNumber(a), toNumber(b)))
}

// compare is < > <= >= on primitives. ECMAScript §7.2.13.
func compare(o op, a, b value) bool {
	if a.kind == kindText && b.kind == kindText {
		return order(o, float64(compareText(a.text, b.text)), 0)
	}
	return order(o, toNumber(a), toNumber(b))
}

func order(o op, x, y float64) bool {
	switch o {
	case opLess:
		return x < y
	case opGreater:
		return x > y
	case opLessEqual:
		return x <= y
	}
	return x >= y
}

func arithmetic(o op, x, y float64) float64 {
	switch o {
	case opSubtract:
		return x - y
	case opMultiply:
		return x * y
	case opDivide:
		return x / y
	case opRemainder:
		return math.Mod(x, y)
	case opPower:
		return power(x, y)
	case opShiftLeft:
		return float64(toInt32(x) << (toUint32(y) & 31))
	case opShiftRight:
		return float64(toInt32(x) >> (toUint32(y) & 31))
	case opShiftRightUnsigned:
		return float64(toUint32(x) >> (toUint32(y) & 31))
	case opBitAnd:
		return float64(toInt32(x) & toInt32(y))
	case opBitXor:
		return float64(toInt32(x) ^ toInt32(y))
	}
	return float64(toInt32(x) | toInt32(y))
}

func (r *run) in(n *node, key, v value) value {
	if !v.isContainer() {
		return r.throw(n, reasonInNothing)
	}
	text, ok := toText(key)
	if !ok {
		return r.throw(n, reasonTooLong)
	}
	_, found := r.get(v, text)
	return boolValue(found)
}
