// Package permission is the question "may this user do that?" and its answer. The rule languages
// that decide are packages below it.
//
// A Checker answers at once: it never blocks, and never allocates on the way to Allow. Where an answer
// depends on records it says so, and the decision becomes an Inquiry: a state machine without I/O that
// names the records it wants and decides when it has them.
//
// # Invariants
//   - What is not clearly allowed is denied: the zero Answer is Deny.
//   - A Checker keeps nothing of a Question, which is a view of the message, after Check has returned.
//   - An Inquiry decides by the rules it began with.
//
// Cost: one call through an interface per decision. Stability: internal, may change.
package permission

import "deepstream-fast/protocol"

// Answer is the outcome of a decision. The zero value denies.
type Answer uint8

const (
	// Deny means that a rule said no, or none applied. The peer gets MESSAGE_DENIED.
	Deny Answer = iota
	// Allow lets the message through.
	Allow
	// Failed means that the rule could not be evaluated. The peer gets MESSAGE_PERMISSION_ERROR.
	Failed
	// Pending means that records have to be read first: see Inquirer. It never reaches a peer.
	Pending
)

// User is who asks. It is immutable once logged in and shared between a user's messages.
type User struct {
	ID         string
	ClientData []byte // JSON text told to the client, and to RPC providers where configured; nil: none
	ServerData []byte // JSON text that never leaves the server; nil: none
}

// Question is one decision to make. Its bytes are views that die with the message.
type Question struct {
	User   *User
	Topic  protocol.Topic
	Action protocol.Action
	Name   []byte // nil where the action has none
	Data   []byte // payload: JSON text, or whatever the peer sent instead; nil where the message has none
	Path   []byte // of a RECORD PATCH or ERASE; Data is the value at it then
	Create bool   // the write may create the record: to a PATCH, a missing one counts as {}

	// Valid says that Data is known to be JSON, so that it is read through once. Whoever has found out sets
	// it: the caller before asking, or a rule that looks at Data, for the caller. False means not known.
	Valid bool
}

// Checker decides. Implementations are safe for concurrent use by all loops.
type Checker interface {
	Check(q *Question) Answer
}

// Inquirer is a Checker that may answer Pending.
type Inquirer interface {
	Checker
	// MayPend reports whether some rule for the action can make Check answer Pending.
	MayPend(topic protocol.Topic, action protocol.Action) bool
	// Inquire takes up a question that Check has answered with Pending. q and all it refers to must not
	// change until the Inquiry is done or dropped. It decides by the rules that are in force now, to
	// the end.
	Inquire(q *Question) Inquiry
}

// Inquiry is a decision that depends on records. It is owned by whoever began it, is not safe for
// concurrent use, and may be dropped at any time.
type Inquiry interface {
	// Next goes on as far as it can. With Pending come the names of the records it wants now, at least
	// one, none of which it was given before; it is to be called again when Loaded was called for each
	// of them. Any other answer is final.
	Next() (answer Answer, want []string)
	// Loaded hands over a record as it is, whoever may read it: JSON text that must not change later,
	// or nil if there is none. With a non-nil err it could not be read, and the answer is Failed.
	Loaded(name string, data []byte, err error)
}

// None allows everything: permission type "none".
type None struct{}

// Check implements Checker.
func (None) Check(*Question) Answer { return Allow }
