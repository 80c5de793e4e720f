// Package listen decides who provides a name: listeners register patterns, and every subscribed name
// that matches one is offered to one listener at a time until somebody accepts. The EVENT and RECORD
// topics share it; a table of action numbers (Event, Record) is the only difference between them.
//
// Every name has one home loop, the one its hash selects. Each loop owns one Home per topic, which
// knows all patterns of the node but decides only about the names homed there. A Home is a pure state
// machine: what happens is a method call, what follows from it goes through Out before the call
// returns. It reads no clock, draws no random number and starts nothing by itself.
//
//	p, err := listen.Compile(text, 1024)          // once per LISTEN; shared by all homes
//	added, err := home.Listen(conn, p)            // on every home
//	home.Offer(p, name, loops)                    // for the names subscribed already, in any slices
//	home.Subscribers(name, loop, true)            // a loop got its first subscriber of name
//	r := home.Closed(conn); r.Step(1000)          // and so on, a slice per turn
//	home.Turn()                                   // once per turn of the loop
//
// # Invariants
//   - A name is in one of four states: idle, queued (its search waits for a turn), asked (one candidate
//     has been asked and may answer) or provided (one candidate accepted). In the last two it is held
//     by that candidate.
//   - A candidate is a (connection, pattern) pair. It is asked only while it is registered, and holds
//     a name only until it answers no, times out, goes, or the name loses its last subscriber.
//   - Home remembers a name only while it has subscribers, and only once a pattern matched it or while
//     it is queued. Subscribed names that match no pattern cost nothing.
//   - Between two calls of Turn a Home does work of TurnBudget and one test more. Only searches wait
//     for the next: every report and answer changes the state of its name at once, and is judged by it.
//   - A late ACCEPT never makes a provider: it is answered with "pattern removed", so that whoever
//     sent it stops.
//   - No Home remembers anything after the last listener is gone.
//
// A search keeps no list of candidates. They have a total order that belongs to the search (a keyed
// permutation, or the order of registration), and the search keeps its position in it: a listener that
// goes is not found any more, one that comes later is ordered behind the others.
//
// Cost: a pattern is tested once per first subscriber, LISTEN and retry, in time linear in the name and
// at most 20 ms; a search step is O(patterns + matching candidates), in slices; removing a listener is
// O(1) plus O(1) for each name it held, in slices. A provided name takes about 110 bytes and its text, a
// queued one 40 more. Stability: internal, may change. Source: spec/listen.md.
package listen
