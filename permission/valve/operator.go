package valve

import (
	"math"
	"strings"
)

// Operators, and literals that are made of values.

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
