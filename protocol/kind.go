package protocol

// Kind is a topic and an action of a client's protocol as one small number, for tables that have a
// place for each. All numbers that are no topic or no action share places, so that a peer cannot make a
// table grow: what is unknown is counted, not told apart.
type Kind uint16

const (
	kindTopics  = 8   // the topics between a client and a server, 0 for all others
	kindActions = 128 // places per topic
	otherAction = kindActions - 1

	// Kinds is the size of a table indexed by Kind.
	Kinds = kindTopics * kindActions
)

// KindOf returns the Kind of a message. Hot path: 0 allocs, see BenchmarkKindOf.
func KindOf(t Topic, a Action) Kind {
	topic := uint32(t)
	if topic >= kindTopics {
		topic = 0
	}
	return Kind(topic*kindActions + min(uint32(a), otherAction))
}

// Topic returns the topic of k, TopicUnknown for all numbers that are none.
func (k Kind) Topic() Topic { return Topic(k / kindActions) }

// Action returns the action of k, or false if it stands for all numbers that have no place.
func (k Kind) Action() (Action, bool) {
	place := Action(k % kindActions)
	return place, place != otherAction
}

// Undefined is the name of an action that has none, as the official server reports it.
const Undefined = "undefined"

// Names returns the wire names of k's topic and action; what has no name is Undefined.
func (k Kind) Names() (topic, action string) {
	t := k.Topic()
	a, ok := k.Action()
	action, named := actionNames[t][a]
	if !ok || !named {
		action = Undefined
	}
	return t.String(), action
}
