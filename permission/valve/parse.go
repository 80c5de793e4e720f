package valve

import (
	"math"
	"slices"
	"strings"
)

// ruleBytesMax is the longest text of a rule.
const ruleBytesMax = 16 << 10

// parse turns the text of a rule into a tree, by the grammar
//
//	rule   = cond [";"]
//	cond   = coal ["?" cond ":" cond]
//	coal   = binary operators as in JavaScript; ?? not beside && and ||
//	unary  = {"!" | "-" | "+" | "~" | "typeof" | "void"} post
//	post   = prim {"." word | "?." word | "[" cond "]" | "?.[" cond "]" | "." method "(" args ")"}
//	prim   = number | string | template | regex | word | "_" "(" args ")" | "(" cond ")" | array | object
//
// Comments may stand anywhere. The tree has identifiers as they are: check gives them a meaning.
func parse(text string) (root *node, err error) {
	if len(text) > ruleBytesMax {
		return nil, syntaxErrorf(0, "rule has %d bytes, more than the maximum of %d", len(text), ruleBytesMax)
	}
	p := &parser{lexer: lexer{src: text}}
	defer func() {
		if r := recover(); r != nil {
			e, ours := r.(*syntaxError)
			if !ours {
				panic(r)
			}
			root, err = nil, e
		}
	}()
	p.advance()
	if p.tok.kind == tokenEnd {
		p.fail(0, "rule is empty")
	}
	root = p.cond()
	if p.is(";") {
		p.advance()
	}
	if p.tok.kind != tokenEnd {
		p.unexpected("the end of the rule")
	}
	return root, nil
}

// parser is a Pratt parser: one token ahead, a table of binding powers.
type parser struct {
	lexer
	tok   token
	end   int // behind the token before tok
	depth int
}

func (p *parser) advance() {
	p.end = p.tok.to
	p.tok = p.next()
}

func (p *parser) is(sign string) bool { return p.tok.kind == tokenSign && p.tok.text == sign }

func (p *parser) expect(sign string) {
	if !p.is(sign) {
		p.unexpected(`"` + sign + `"`)
	}
	p.advance()
}

// refused explains what JavaScript has and rules have not.
var refused = map[string]string{
	"=": "a rule cannot assign; compare with ===", "+=": "a rule cannot assign", "-=": "a rule cannot assign",
	"*=": "a rule cannot assign", "/=": "a rule cannot assign", "%=": "a rule cannot assign", "**=": "a rule cannot assign",
	"&=": "a rule cannot assign", "|=": "a rule cannot assign", "^=": "a rule cannot assign", "<<=": "a rule cannot assign",
	">>=": "a rule cannot assign", ">>>=": "a rule cannot assign", "&&=": "a rule cannot assign", "||=": "a rule cannot assign",
	"??=": "a rule cannot assign", "++": "a rule cannot assign", "--": "a rule cannot assign",
	"=>": "functions cannot be defined in a rule", "function": "functions cannot be defined in a rule",
	"async": "functions cannot be defined in a rule", "class": "classes cannot be defined in a rule",
	"new": `"new" cannot be used in a rule`, "delete": `"delete" cannot be used in a rule`,
	"this": `"this" cannot be used in a rule`, "await": `"await" cannot be used in a rule`,
	"yield": `"yield" cannot be used in a rule`, "instanceof": `"instanceof" cannot be used in a rule`,
	"super": `"super" cannot be used in a rule`, "import": `"import" cannot be used in a rule`,
	"...": `"..." cannot be used in a rule`, ",": "the comma operator cannot be used in a rule",
	"return": `a rule is an expression, without "return"`,
}

// reserved words of JavaScript that are no identifiers.
var reserved = []string{
	"break", "case", "catch", "const", "continue", "debugger", "default", "do", "else", "enum", "export", "extends",
	"finally", "for", "if", "in", "switch", "throw", "try", "typeof", "var", "void", "while", "with", "null", "true", "false",
}

// unexpected reports the current token where want was expected.
func (p *parser) unexpected(want string) {
	if why := refused[p.tok.text]; why != "" && p.tok.kind != tokenText {
		p.fail(p.tok.from, "%s", why)
	}
	if p.tok.kind == tokenEnd {
		p.fail(p.tok.from, "expected %s, but the rule ends here", want)
	}
	p.fail(p.tok.from, "expected %s, found %q", want, p.src[p.tok.from:p.tok.to])
}

// enter counts one level of nesting; the function it returns takes it back.
func (p *parser) enter() func() {
	if p.depth++; p.depth > depthMax {
		p.fail(p.tok.from, "expression is nested more than %d levels deep", depthMax)
	}
	return func() { p.depth-- }
}

// node finishes n: it ends where the last token did and is deeper than its operands.
func (p *parser) node(n node) *node {
	n.to = p.end
	n.children(func(child **node) { n.depth = max(n.depth, (*child).depth+1) })
	if n.depth > depthMax {
		p.fail(n.from, "expression is nested more than %d levels deep", depthMax)
	}
	return &n
}

func (p *parser) cond() *node {
	defer p.enter()()
	a := p.binary(1)
	if !p.is("?") {
		return a
	}
	p.advance()
	b := p.cond()
	p.expect(":")
	c := p.cond()
	return p.node(node{op: opCond, a: a, b: b, c: c, from: a.from})
}

// binding says how an infix operator binds; a higher power binds tighter.
type binding struct {
	power int
	op    op
	chain bool // any number of operands in one node
}

var bindings = map[string]binding{
	"??": {1, opCoalesce, true}, "||": {2, opOr, true}, "&&": {3, opAnd, true},
	"|": {4, opBitOr, false}, "^": {5, opBitXor, false}, "&": {6, opBitAnd, false},
	"===": {7, opStrictEqual, false}, "!==": {7, opStrictUnequal, false}, "==": {7, opEqual, false}, "!=": {7, opUnequal, false},
	"<": {8, opLess, false}, ">": {8, opGreater, false}, "<=": {8, opLessEqual, false}, ">=": {8, opGreaterEqual, false}, "in": {8, opIn, false},
	"<<": {9, opShiftLeft, false}, ">>": {9, opShiftRight, false}, ">>>": {9, opShiftRightUnsigned, false},
	"+": {10, opAdd, true}, "-": {10, opSubtract, false},
	"*": {11, opMultiply, false}, "/": {11, opDivide, false}, "%": {11, opRemainder, false},
	"**": {12, opPower, false},
}

// infix returns the operator that the current token is.
func (p *parser) infix() (binding, bool) {
	if p.tok.kind != tokenSign && p.tok.kind != tokenWord {
		return binding{}, false
	}
	b, ok := bindings[p.tok.text]
	return b, ok
}

// binary reads operators that bind at least as tight as power.
func (p *parser) binary(power int) *node {
	left := p.operand()
	for {
		b, ok := p.infix()
		if !ok || b.power < power {
			return left
		}
		sign := p.tok
		if b.op == opPower && isUnary(left) && !left.grouped {
			p.fail(sign.from, "the base of ** needs parentheses here")
		}
		p.advance()
		right := p.right(b)
		p.refuseMix(b.op, sign.from, left)
		p.refuseMix(b.op, sign.from, right)
		switch {
		case b.chain && left.op == b.op && !left.grouped:
			left.list = append(left.list, right)
			left = p.node(*left)
		case b.chain:
			left = p.node(node{op: b.op, list: []*node{left, right}, from: left.from})
		default:
			left = p.node(node{op: b.op, a: left, b: right, from: left.from})
		}
	}
}

// right reads the right side of an operator.
func (p *parser) right(b binding) *node {
	defer p.enter()()
	if b.op == opPower {
		return p.binary(b.power) // a ** b ** c is a ** (b ** c)
	}
	return p.binary(b.power + 1)
}

// refuseMix keeps ?? apart from && and ||. ECMAScript §13.13.
func (p *parser) refuseMix(o op, at int, operand *node) {
	logical := func(o op) bool { return o == opAnd || o == opOr }
	if !operand.grouped && (o == opCoalesce && logical(operand.op) || logical(o) && operand.op == opCoalesce) {
		p.fail(at, "?? beside && or || needs parentheses")
	}
}

func isUnary(n *node) bool { return n.op >= opNot && n.op <= opVoid }

var unaries = map[string]op{
	"!": opNot, "-": opNegate, "+": opPlus, "~": opBitNot, "typeof": opTypeof, "void": opVoid,
}

// operand reads a unary expression.
func (p *parser) operand() *node {
	o, ok := unaries[p.tok.text]
	if ok && (p.tok.kind == tokenSign || p.tok.kind == tokenWord) {
		defer p.enter()()
		from := p.tok.from
		p.advance()
		a := p.operand()
		return p.node(node{op: o, a: a, from: from})
	}
	return p.post()
}

// post reads a primary expression and what is looked up in it.
func (p *parser) post() *node {
	n := p.primary()
	chained := false
	for {
		optional := p.is("?.")
		switch {
		case p.is(".") || optional:
			p.advance()
			chained = chained || optional
			if optional && p.is("[") {
				n = p.subscript(n, true)
			} else {
				n = p.member(n, optional)
			}
		case p.is("["):
			n = p.subscript(n, false)
		case p.is("("):
			p.fail(p.tok.from, "only _() and the methods %s can be called", methodNames)
		case p.tok.kind == tokenTemplate:
			p.fail(p.tok.from, "tagged templates cannot be used in a rule")
		case chained:
			return p.node(node{op: opChain, a: n, from: n.from})
		default:
			return n
		}
	}
}

func (p *parser) subscript(a *node, optional bool) *node {
	p.advance()
	b := p.cond()
	p.expect("]")
	return p.node(node{op: opIndex, a: a, b: b, optional: optional, from: a.from})
}

// member reads what follows a dot: a name, or the call of a method.
func (p *parser) member(a *node, optional bool) *node {
	word := p.tok
	if word.kind != tokenWord {
		p.unexpected("a name")
	}
	p.advance()
	if !p.is("(") {
		return p.node(node{op: opMember, a: a, text: word.text, optional: optional, from: a.from})
	}
	m, known := methods[word.text]
	if !known {
		p.fail(word.from, "method %q cannot be called in a rule; there are %s", word.text, methodNames)
	}
	return p.node(node{op: opMethod, a: a, text: word.text, method: m, list: p.arguments(), optional: optional, from: a.from})
}

// arguments reads a list of them in parentheses.
func (p *parser) arguments() []*node {
	p.advance()
	args := p.elements(")")
	return args
}

// elements reads expressions up to closer, and that.
func (p *parser) elements(closer string) (list []*node) {
	for !p.is(closer) {
		list = append(list, p.cond())
		if p.is(",") {
			p.advance()
		} else if !p.is(closer) {
			p.unexpected(`"," or "` + closer + `"`)
		}
	}
	p.advance()
	return list
}

func (p *parser) primary() *node {
	defer p.enter()()
	t := p.tok
	switch t.kind {
	case tokenNumber:
		p.advance()
		return p.node(node{op: opConst, v: numberValue(t.number), from: t.from})
	case tokenText:
		p.advance()
		return p.node(node{op: opConst, v: textValue(t.text), from: t.from})
	case tokenTemplate:
		return p.template()
	case tokenWord:
		return p.word()
	case tokenSign:
		switch t.text {
		case "(":
			p.advance()
			n := p.cond()
			p.expect(")")
			n.grouped = true
			return n
		case "[":
			p.advance()
			list := p.elements("]")
			return p.node(node{op: opArray, list: list, from: t.from})
		case "{":
			return p.object()
		case "/", "/=":
			return p.regexLiteral()
		}
	}
	p.unexpected("a value")
	return nil
}

func (p *parser) regexLiteral() *node {
	from := p.tok.from
	source, flags, to := p.regex(from)
	re, err := compileRegex(source, flags)
	if err != nil {
		p.fail(from, "%s", err.Error())
	}
	p.tok.to = to
	p.advance()
	return p.node(node{op: opConst, v: heapValue(kindRegex, &heap{regex: re}), from: from})
}

var constants = map[string]value{
	"true": boolValue(true), "false": boolValue(false), "null": {kind: kindNull}, "undefined": {},
	"NaN": numberValue(math.NaN()), "Infinity": numberValue(math.Inf(1)),
}

// word reads an identifier, a constant or a reference.
func (p *parser) word() *node {
	t := p.tok
	if why := refused[t.text]; why != "" {
		p.fail(t.from, "%s", why)
	}
	v, constant := constants[t.text]
	if !constant && slices.Contains(reserved, t.text) {
		p.unexpected("a value")
	}
	p.advance()
	switch {
	case constant:
		return p.node(node{op: opConst, v: v, from: t.from})
	case p.is("(") && t.text == "_":
		return p.node(node{op: opRef, list: p.arguments(), from: t.from})
	case p.is("("):
		p.fail(t.from, "function %q cannot be called in a rule; there are _() and the methods %s", t.text, methodNames)
	case p.is("=>"):
		p.fail(t.from, "%s", refused["=>"])
	}
	return p.node(node{op: opIdent, text: t.text, from: t.from})
}

// object reads an object literal.
func (p *parser) object() *node {
	from := p.tok.from
	p.advance()
	n := node{op: opObject, from: from}
	for !p.is("}") {
		key := p.tok
		text := key.text
		switch key.kind {
		case tokenNumber:
			text = spell(key.number)
		case tokenWord, tokenText:
		default:
			p.unexpected("a key")
		}
		if text == "__proto__" {
			p.fail(key.from, "__proto__ cannot be set in a rule")
		}
		p.advance()
		if key.kind == tokenWord && (p.is(",") || p.is("}")) {
			p.fail(key.from, "write %s: %s", text, text)
		}
		p.expect(":")
		n.keys, n.list = append(n.keys, text), append(n.list, p.cond())
		if p.is(",") {
			p.advance()
		} else if !p.is("}") {
			p.unexpected(`"," or "}"`)
		}
	}
	p.advance()
	return p.node(n)
}

// template reads a template literal, whose opening backtick is the current token.
func (p *parser) template() *node {
	from := p.tok.from
	n := node{op: opTemplate, from: from}
	var b unitBuilder
	flush := func() {
		n.list = append(n.list, p.node(node{op: opConst, v: textValue(b.text()), from: from}))
		b = unitBuilder{}
	}
	for {
		rest := p.src[p.pos:]
		switch {
		case rest == "":
			p.fail(from, "template is not closed")
		case rest[0] == '`':
			p.pos++
			p.tok.to = p.pos
			p.advance()
			flush()
			return p.node(n)
		case strings.HasPrefix(rest, "${"):
			flush()
			p.pos += 2
			p.advance()
			n.list = append(n.list, p.cond())
			if !p.is("}") {
				p.unexpected(`"}"`)
			}
			p.pos = p.tok.to
		case rest[0] == '\\':
			p.escape(&b)
		case rest[0] == '\r': // a line end is \n, however it is written
			if b.rune('\n'); strings.HasPrefix(rest, "\r\n") {
				p.pos++
			}
			p.pos++
		default:
			p.char(&b)
		}
	}
}
