package valve

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"deepstream-fast/permission"
)

// Explanation says how one question was decided, and why.
type Explanation struct {
	Answer    permission.Answer
	Action    string // topic and action
	Name      string
	Kind      string // section and rule type; "" if the action needs no rule
	Path      string // the path that won; "" if none did
	Rule      string // its rule
	Place     string // file:line:column
	Variables []Finding
	Records   []Finding // what was loaded, in that order
	Steps     []Finding // sub-expressions in the order they stand, as far as they were reached
	Rounds    int       // of evaluation
	Reason    string    // one sentence
}

// Finding is something with its value, cut to a readable length.
type Finding struct {
	What, Value string
}

// Explain decides q by rules as a Checker would, with records from a function, and says how. roundsMax and
// now are those of Options. It shows payloads: it is for people, not for logs.
func Explain(rules *Rules, q *permission.Question, opts Options, records func(name string) (data []byte, found bool)) Explanation {
	c := New(rules, Options{RoundsMax: opts.RoundsMax, Now: opts.Now})
	e := Explanation{Action: q.Topic.String() + " " + q.Action.Name(q.Topic), Name: string(q.Name)}
	k := kindOf(q.Topic, q.Action)
	if k == noRule {
		e.Answer, e.Reason = permission.Allow, "no kind of rule belongs to this action: it is always allowed"
		return e
	}
	e.Kind = k.String()
	i, _ := c.Inquire(q).(*inquiry)
	r := i.run.rule
	if r == nil {
		e.Reason = fmt.Sprintf("no path that matches the name has a rule for %q", k.spec().name)
		return e
	}
	e.Path, e.Rule, e.Place = r.path, r.text, r.where(nil)
	if r.constant {
		e.Answer, e.Reason = r.answer, "the rule has this result for everybody"
		return e
	}
	t := &trace{rule: r}
	i.run.trace = t
	e.Answer, e.Records = settle(i, records)
	e.Rounds, e.Steps, e.Reason = min(i.rounds, c.opts.RoundsMax), t.steps(), t.reason(i, e.Answer)
	e.Variables = variables(i, q)
	return e
}

// settle carries an inquiry to its end.
func settle(i *inquiry, records func(string) ([]byte, bool)) (permission.Answer, []Finding) {
	var seen []Finding
	for {
		answer, want := i.Next()
		if answer != permission.Pending {
			return answer, seen
		}
		for _, name := range want {
			data, found := records(name)
			if !found {
				data = nil
			}
			i.Loaded(name, data, nil)
			shown := "does not exist"
			if found {
				shown = shorten(string(data))
			}
			seen = append(seen, Finding{name, shown})
		}
	}
}

// variables lists what the rule could have used.
func variables(i *inquiry, q *permission.Question) []Finding {
	r := i.run
	show := func(o op) string { return render(r.eval(&node{op: o})) }
	list := []Finding{
		{"user.id", strconv.Quote(q.User.ID)},
		{"user.isAuthenticated", strconv.FormatBool(q.User.ID != "open")},
		{"user.data", shorten(cmp.Or(string(q.User.ServerData), "null"))},
		{"name", show(opName)},
		{"action", show(opAction)},
		{"now", r.opts.Now().UTC().Format(time.RFC3339Nano)},
	}
	if r.rule.uses.data {
		list = append(list, Finding{"data", i.shown(opData)})
	}
	if r.rule.uses.oldData {
		list = append(list, Finding{"oldData", i.shown(opOldData)})
	}
	p, _, err := compilePath(r.rule.path)
	if err != nil {
		return list // a path that is in force compiles
	}
	for n, name := range p.vars {
		list = append(list, Finding{name, render(r.eval(&node{op: opVar, index: n}))})
	}
	return list
}

// shown evaluates a variable that may depend on records.
func (i *inquiry) shown(o op) string {
	r := i.run
	r.inquiry, r.trace = i, nil
	v := r.eval(&node{op: o})
	if v.failed() {
		return reasonTexts[r.failure.why]
	}
	return render(v)
}

// trace notes the value of every node in the round that runs.
type trace struct {
	rule    *rule
	notes   map[*node]string
	failed  failure
	entered *node // being evaluated, none of its operands yet
}

// begin forgets the round before.
func (t *trace) begin() { t.notes = map[*node]string{} }

func (t *trace) note(n *node, v value) {
	if t.notes != nil && n.to > n.from {
		t.notes[n] = render(v)
	}
}

// steps returns the sub-expressions that were reached, but no constants and variables, and none twice.
func (t *trace) steps() []Finding {
	nodes := make([]*node, 0, len(t.notes))
	for n := range t.notes {
		if n.op >= opMember && !(n.op == opMember && n.a.op == opUser) {
			nodes = append(nodes, n)
		}
	}
	// By place; what encloses comes before what it encloses.
	slices.SortFunc(nodes, func(a, b *node) int { return cmp.Or(a.from-b.from, b.to-a.to, int(b.depth)-int(a.depth)) })
	list := make([]Finding, 0, len(nodes))
	for _, n := range nodes {
		f := Finding{strings.Join(strings.Fields(t.rule.text[n.from:n.to]), " "), t.notes[n]}
		if !slices.Contains(list, f) {
			list = append(list, f)
		}
	}
	return list
}

func (t *trace) reason(i *inquiry, answer permission.Answer) string {
	switch answer {
	case permission.Allow:
		return "the rule's result is " + t.notes[t.rule.root]
	case permission.Deny:
		return "the rule's result is " + t.notes[t.rule.root] + ", and only what counts as true allows"
	}
	why := reasonTexts[t.failed.why]
	if t.failed.node != nil {
		return why + ", at " + t.rule.where(t.failed.node)
	}
	return why
}

// render shows a value to people.
func render(v value) string {
	switch v.kind {
	case kindThrown:
		return "fails"
	case kindSkipped:
		return "undefined"
	case kindText:
		return shorten(strconv.Quote(v.text))
	case kindJSONArray, kindJSONObject:
		return shorten(v.text)
	case kindArray:
		parts := make([]string, len(v.heap().elems))
		for i, e := range v.heap().elems {
			parts[i] = render(e)
		}
		return shorten("[" + strings.Join(parts, ", ") + "]")
	case kindUser:
		return "the user"
	}
	return scalarText(v)
}

func shorten(s string) string {
	const most = 120
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}

var answerTexts = map[permission.Answer]string{
	permission.Allow: "ALLOWED", permission.Deny: "DENIED", permission.Failed: "ERROR, which denies",
}

// String returns the explanation as lines of text.
func (e Explanation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", answerTexts[e.Answer], e.Reason)
	fmt.Fprintf(&b, "  question  %s %q\n", e.Action, e.Name)
	if e.Path != "" {
		fmt.Fprintf(&b, "  decided   %s of the path %q\n", e.Kind, e.Path)
		fmt.Fprintf(&b, "  at        %s\n", e.Place)
		fmt.Fprintf(&b, "  rule      %s\n", strings.ReplaceAll(strings.TrimSpace(e.Rule), "\n", "\n            "))
	}
	if e.Rounds > 1 {
		fmt.Fprintf(&b, "  rounds    %d\n", e.Rounds)
	}
	for _, part := range []struct {
		title string
		list  []Finding
	}{{"variables", e.Variables}, {"records loaded", e.Records}, {"values", e.Steps}} {
		if len(part.list) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n%s\n", part.title)
		for _, f := range part.list {
			fmt.Fprintf(&b, "  %s = %s\n", f.What, f.Value)
		}
	}
	return b.String()
}
