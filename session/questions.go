package session

import (
	"deepstream-fast/permission"
	"deepstream-fast/protocol"
)

// What has to be allowed of a message. The gate asks it before the message is carried out, and its topic
// while that happens: both have to ask the same.

// questions walks what has to be allowed of a message: about its name, or about each of its list of names,
// one question per action. Owned by whoever walks.
type questions struct {
	// Set by questionsOf, then constant.
	actions [2]protocol.Action
	count   int  // of actions; 0: anybody may do this
	list    bool // it is about a list of names

	q     permission.Question // the current one; its name is a view of the message
	names protocol.NamesIter
	asked int // actions about the current name
}

// questionsOf returns the questions about m. Those the topics ask have to be among them, with the same
// actions and names.
func questionsOf(user *permission.User, m *protocol.Message) (x questions) {
	x.q = permission.Question{User: user, Topic: m.Topic, Name: m.Name, Data: m.Data, Path: m.Path}
	x.actions[0], x.count = m.Action, 1
	switch m.Topic {
	case protocol.TopicEvent:
		x.eventQuestions(m)
	case protocol.TopicRPC:
		x.rpcQuestions(m)
	case protocol.TopicPresence:
		x.presenceQuestions(m)
	case protocol.TopicRecord:
		x.recordQuestions(m)
	default:
		x.count = 0
	}
	if x.list {
		x.names, x.asked = m.Names.Iter(), x.count
		x.q.Name, x.q.Data, x.q.Path = nil, nil, nil
	}
	return x
}

// next advances to the next question and reports whether there is one.
func (x *questions) next() bool {
	if x.asked == x.count {
		if !x.list || !x.names.Next() {
			return false
		}
		x.q.Name, x.asked = x.names.Name(), 0
	}
	if x.asked == x.count {
		return false
	}
	x.q.Action = x.actions[x.asked]
	x.asked++
	return true
}

func (x *questions) eventQuestions(m *protocol.Message) {
	switch m.Action {
	case protocol.EventEmit, protocol.EventListen:
	case protocol.EventSubscribe:
		x.list = true
	default:
		x.count = 0
	}
}

func (x *questions) rpcQuestions(m *protocol.Message) {
	switch m.Action {
	case protocol.RPCRequest:
	case protocol.RPCProvide:
		x.list = true
	default:
		x.count = 0
	}
}

func (x *questions) presenceQuestions(m *protocol.Message) {
	switch m.Action {
	case protocol.PresenceQueryAll, protocol.PresenceSubscribeAll:
		x.q.Name = nil
	case protocol.PresenceQuery:
		x.list = m.Names.Len() > 0
		x.q.Name = nil
	case protocol.PresenceSubscribe:
		x.list = true
	default:
		x.count = 0
	}
}

func (x *questions) recordQuestions(m *protocol.Message) {
	switch m.Action {
	case protocol.RecordRead, protocol.RecordHead, protocol.RecordDelete, protocol.RecordListen:
	case protocol.RecordSubscribe, protocol.RecordSubscribeAndRead, protocol.RecordSubscribeAndHead, protocol.RecordNotify:
		x.list = true
	case protocol.RecordSubscribeCreateAndRead:
		x.list = true
		x.actions, x.count = [...]protocol.Action{protocol.RecordCreate, protocol.RecordRead}, 2
	case protocol.RecordUpdate, protocol.RecordPatch, protocol.RecordErase, protocol.RecordPatchMulti:
		x.actions[0] = writes(m)
	case protocol.RecordCreateAndUpdate, protocol.RecordCreateAndPatch:
		x.actions, x.count = [...]protocol.Action{writes(m), protocol.RecordCreate}, 2
		x.q.Create = true
	default:
		x.count = 0
	}
}

// writes returns what a write is, whatever it calls itself: a patch without data erases. Source:
// spec/records.md §5.1, §5.5.
func writes(m *protocol.Message) protocol.Action {
	switch {
	case len(m.Path) > 0 && m.Data == nil && m.Action != protocol.RecordPatchMulti:
		return protocol.RecordErase
	case m.Action == protocol.RecordCreateAndUpdate:
		return protocol.RecordUpdate
	case m.Action == protocol.RecordCreateAndPatch:
		return protocol.RecordPatch
	}
	return m.Action
}
