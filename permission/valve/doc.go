// Package valve is the rule language of the official server's permission files: it reads such a file,
// refuses what could not work, and decides by it.
//
//	rules, warnings, err := valve.Load(valve.Source{File: "permissions.yml", Text: text})
//	checker := valve.New(rules, valve.Options{Log: log})
//	node.Permission = checker      // a permission.Inquirer
//	checker = checker.With(reloaded) // later; inquiries under way finish by the rules they began with
//
// A rule is an expression of JavaScript without side effects. It passes four steps, each in its own
// file: lex (text to tokens), parse (tokens to a tree), check (names to variables, constants folded) and
// eval, which walks the tree with a run on the stack of its caller. What a rule says of data, oldData and
// _() are looked up in the JSON text they came as: see scan.go. Nothing is decoded that no rule asks for.
//
// A rule that reaches a record cannot be decided at once. Check then answers Pending, and the Inquiry
// evaluates it in rounds, each with more records loaded, until nothing is missing: see inquiry.go.
//
// # Invariants
//   - What is not clearly allowed is denied: a falsy result, no rule, an error, a limit.
//   - Rules are immutable, and so are the trees in them: all loops evaluate the same ones.
//   - A value never outlives its run, unless it is a constant of a rule or was copied: text in it may be
//     a view of the question.
//   - What a rule mentions but does not reach is not looked at: no payload is checked, no record loaded.
//   - Once a record has been reached, rounds are counted as the official server does: whatever the rule
//     mentions is loaded in the first.
//   - Neither payloads nor user data are ever logged.
//   - Everything is bounded: depthMax, ruleBytesMax, textBytesMax, the limits of regex.go and load.go,
//     selectionsMax and referencesMax.
//
// Cost: a rule that compares ids and names is decided in about 25 ns without allocations, one that looks at
// members of small JSON in 100 to 150, see BenchmarkCheck. Looking a member up costs a scan of the object
// around it, half a nanosecond a byte; the first look at what was sent is also its only check. Stability: the language is stable, the API internal.
package valve
