package valve

import (
	"strings"

	"deepstream-fast/permission"
)

// scope is where a rule stands: what its identifiers mean.
type scope struct {
	kind ruleKind
	vars []string // of the path, with their dollar signs; the index is the capture
}

// check resolves the names of one rule, notes what it needs, and folds constants.
type check struct {
	scope
	uses uses

	warnings []syntaxError
	err      *syntaxError // the first
}

// uses is what a rule mentions.
type uses struct {
	data, oldData, references bool
}

// resolve checks the tree and returns it with names resolved and constants folded.
func (c *check) resolve(n *node) *node {
	if n.op == opIdent {
		c.ident(n)
	}
	c.uses.references = c.uses.references || n.op == opRef
	n.children(func(child **node) { *child = c.resolve(*child) })
	if n.op == opMember {
		n.key = []byte(n.text)
	}
	if n.op == opMember && n.a.op == opUser && n.text == "id" {
		n.op, n.a = opUserID, nil
	}
	precompile(n)
	n.plain = (n.op == opStrictEqual || n.op == opStrictUnequal) && isPlain(n.a) && isPlain(n.b)
	return fold(n)
}

// isPlain reports whether n is text that is at hand, or undefined.
func isPlain(n *node) bool {
	return n.op == opUserID || n.op == opVar || n.op == opName || n.op == opConst && n.v.kind == kindText
}

// precompile turns the text in match("text") into the regular expression that it is. One that is none
// fails when the rule gets to it, as in the official server.
func precompile(n *node) {
	if n.op != opMethod || n.method != methodMatch || len(n.list) == 0 {
		return
	}
	arg := n.list[0]
	if arg.op != opConst || arg.v.kind != kindText {
		return
	}
	if re, err := compileRegex(arg.v.text, ""); err == nil {
		n.list[0] = &node{op: opConst, v: heapValue(kindRegex, &heap{regex: re}), from: arg.from, to: arg.to}
	}
}

// ident gives an identifier its meaning.
func (c *check) ident(n *node) {
	switch n.text {
	case "user":
		n.op = opUser
	case "now":
		n.op = opNow
	case "action":
		n.op = opAction
	case "name":
		n.op = opName
	case "_":
		n.op = opFunction
	case "data":
		n.op = opData
		c.uses.data = true
		if !c.kind.spec().data {
			c.fail(n, `"data" cannot be used in a rule for %s`, c.kind)
		}
	case "oldData":
		n.op = opOldData
		c.uses.oldData = true
		if !c.kind.spec().oldData {
			c.fail(n, `"oldData" cannot be used in a rule for %s`, c.kind)
		}
	default:
		c.pathVariable(n)
	}
}

// pathVariable resolves $name. If a path has the same variable twice, its last place counts.
func (c *check) pathVariable(n *node) {
	n.op = opUnknown
	for i, name := range c.vars {
		if name == n.text {
			n.op, n.index = opVar, i
		}
	}
	if n.op == opVar {
		return
	}
	hint := ""
	if strings.HasPrefix(n.text, "$") && len(c.vars) > 0 {
		hint = "; the path has " + strings.Join(c.vars, ", ")
	} else if strings.HasPrefix(n.text, "$") {
		hint = "; the path has no variables"
	}
	c.warnings = append(c.warnings, *syntaxErrorf(n.from, "%s means nothing here: a rule that gets to it fails%s", n.text, hint))
}

func (c *check) fail(n *node, format string, args ...any) {
	if c.err == nil {
		c.err = syntaxErrorf(n.from, format, args...)
	}
}

// fold computes n now if that can be done and does not fail.
func fold(n *node) *node {
	constant := n.op != opConst && n.op != opChain && foldable(n.op)
	n.children(func(child **node) { constant = constant && (*child).op == opConst })
	if !constant {
		return n
	}
	r := run{q: &permission.Question{}}
	v := r.eval(n)
	if v.kind >= kindThrown || len(v.text) > ruleBytesMax {
		return n
	}
	return &node{op: opConst, v: v, from: n.from, to: n.to}
}

// foldable reports whether o computes from its operands alone. Arrays and objects are folded although
// JavaScript would make a new one each time: nothing can change them, and as operands of === in one rule
// they stay two.
func foldable(o op) bool { return o >= opMember && o != opRef }

// ruleKind is a section together with a rule type.
type ruleKind uint8

// The kinds of rules, in the order of the sections. noRule is that of actions without a rule.
const (
	recordCreate ruleKind = iota
	recordRead
	recordWrite
	recordDelete
	recordListen
	recordNotify
	eventPublish
	eventSubscribe
	eventListen
	rpcProvide
	rpcRequest
	presenceAllow
	ruleKinds // how many there are
	noRule
)

// ruleSpec says what a kind of rule is called and may use.
type ruleSpec struct {
	section, name string
	data, oldData bool
}

var ruleSpecs = [ruleKinds]ruleSpec{
	recordCreate:   {"record", "create", false, false},
	recordRead:     {"record", "read", false, true},
	recordWrite:    {"record", "write", true, true},
	recordDelete:   {"record", "delete", false, true},
	recordListen:   {"record", "listen", false, false},
	recordNotify:   {"record", "notify", false, false},
	eventPublish:   {"event", "publish", true, false},
	eventSubscribe: {"event", "subscribe", true, false}, // always undefined there
	eventListen:    {"event", "listen", false, false},
	rpcProvide:     {"rpc", "provide", false, false},
	rpcRequest:     {"rpc", "request", true, false},
	presenceAllow:  {"presence", "allow", false, false},
}

var sections = []string{"record", "event", "rpc", "presence"}

func (k ruleKind) spec() *ruleSpec { return &ruleSpecs[k] }

// String returns section and rule type, such as "record.write".
func (k ruleKind) String() string { return ruleSpecs[k].section + "." + ruleSpecs[k].name }

// kindByName returns the rule type name of section.
func kindByName(section, name string) (ruleKind, bool) {
	for k, spec := range ruleSpecs {
		if spec.section == section && spec.name == name {
			return ruleKind(k), true
		}
	}
	return noRule, false
}
