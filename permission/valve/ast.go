package valve

// op says what a node computes.
type op uint8

// The operators. Operands are a, b, c, or list where there may be any number of them.
const (
	opConst op = iota // v
	opIdent           // text; check turns it into one of the next
	opUser
	opData
	opOldData
	opNow
	opAction
	opName
	opVar      // path variable number index
	opUnknown  // an identifier that means nothing
	opFunction // _ without a call
	opUserID   // user.id, the most frequent of all

	opMember // a.text
	opIndex  // a[b]
	opChain  // a, in which ?. may end early
	opRef    // _(list)
	opMethod // a.text(list)

	opNot
	opNegate
	opPlus
	opBitNot
	opTypeof
	opVoid

	opStrictEqual
	opStrictUnequal
	opEqual
	opUnequal
	opLess
	opGreater
	opLessEqual
	opGreaterEqual
	opIn
	opAdd // list
	opSubtract
	opMultiply
	opDivide
	opRemainder
	opPower
	opShiftLeft
	opShiftRight
	opShiftRightUnsigned
	opBitAnd
	opBitXor
	opBitOr

	opAnd      // list
	opOr       // list
	opCoalesce // list
	opCond     // a ? b : c

	opArray    // list
	opObject   // keys and list
	opTemplate // list, all made text
)

// depthMax is how deep an expression may nest: it bounds the stack of evaluation. Chains of &&, ||, ??
// and + count as one level however long they are.
const depthMax = 64

// node is a part of an expression. It does not change once its rule is compiled.
type node struct {
	op       op
	optional bool   // ?. instead of .
	grouped  bool   // stood in parentheses
	plain    bool   // of === and !==: each side is a name, an id or text, see isPlain
	method   method // of opMethod
	depth    uint8
	index    int
	a, b, c  *node
	list     []*node
	text     string
	key      []byte // of opMember: text
	keys     []string
	v        value
	from, to int // in the rule
}

// children calls yield for every operand.
func (n *node) children(yield func(**node)) {
	for _, p := range []**node{&n.a, &n.b, &n.c} {
		if *p != nil {
			yield(p)
		}
	}
	for i := range n.list {
		yield(&n.list[i])
	}
}

// method is one of the functions that a rule may call on a value.
type method uint8

const (
	methodStartsWith method = iota
	methodEndsWith
	methodIncludes
	methodIndexOf
	methodMatch
	methodToUpperCase
	methodToLowerCase
	methodTrim
)

var methods = map[string]method{
	"startsWith": methodStartsWith, "endsWith": methodEndsWith, "includes": methodIncludes, "indexOf": methodIndexOf,
	"match": methodMatch, "toUpperCase": methodToUpperCase, "toLowerCase": methodToLowerCase, "trim": methodTrim,
}

const methodNames = "startsWith, endsWith, includes, indexOf, match, toUpperCase, toLowerCase and trim"
