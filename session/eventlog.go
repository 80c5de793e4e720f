package session

import (
	"context"
	"log/slog"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"deepstream-fast/engine"
	"deepstream-fast/protocol"
)

// What an operator may want to know of clients, under the official names: a few lines in the life of a
// connection, and complaints, which are what a client was told it did wrong. A client can do that as often
// as it likes, so a connection gets one complaint a second, and a loop complaintsPerSecond; those left out
// are counted in the next one. Nothing is formatted for a level that is not logged, and nobody is logged
// twice for one message. Source: spec/monitoring.md §4.
const (
	complaintPause      = time.Second
	complaintsPerSecond = 50
	complainersMax      = 4096 // remembered per loop; connections beyond share the last place
	textBytesMax        = 128  // of a name or id in a line
)

// eventLog is what a loop logs. Owned by the loop.
type eventLog struct {
	log *slog.Logger // set by newEventLog, then constant

	complainers map[protocol.ConnID]complainer
	window      time.Duration // when the current second began
	written     int           // complaints in it
}

// complainer is what is remembered of a connection that was complained about.
type complainer struct {
	last       time.Duration // when a line about it was written
	suppressed int           // complaints since
}

func newEventLog(log *slog.Logger) eventLog {
	return eventLog{log: log, complainers: map[protocol.ConnID]complainer{}}
}

func (e *eventLog) wants(level slog.Level) bool { return e.log.Enabled(context.Background(), level) }

// logOpen tells of a new connection.
func (l *Loop) logOpen(c *engine.Conn, remote, referer string) {
	if !l.events.wants(slog.LevelInfo) {
		return
	}
	if referer == "" {
		referer = "undefined" // as the official server has it
	}
	l.events.log.Info("from "+clean(referer)+" ("+remote+")", "event", "INCOMING_CONNECTION", "connection", c.ID().String())
}

// logLogin tells of the end of a login.
func (l *Loop) logLogin(c *engine.Conn, event, message string, args ...any) {
	if l.events.wants(slog.LevelInfo) {
		l.events.log.Info(message, append([]any{"event", event, "connection", c.ID().String()}, args...)...)
	}
}

// logClose tells of the end of a connection, and how many complaints about it were left out.
func (l *Loop) logClose(c *engine.Conn, s *conn) {
	suppressed := l.events.complainers[c.ID()].suppressed
	delete(l.events.complainers, c.ID())
	if !l.events.wants(slog.LevelInfo) || s.used&usedDoor != 0 { // one that nobody has opened
		return
	}
	args := []any{"event", "CLIENT_DISCONNECTED", "connection", c.ID().String()}
	if suppressed > 0 {
		args = append(args, "suppressed", suppressed)
	}
	user := "null"
	if s.user != nil {
		user = clean(s.user.ID)
	}
	l.events.log.Info(user, args...)
}

// complain tells what a client is told in m, if that is something to tell. Hot path for answers that are
// not: a look into a table.
func (l *Loop) complain(to protocol.ConnID, m *protocol.Message) {
	if level := complaintLevel(m); level != 0 {
		l.complainAbout(to, slog.Level(level), m.Action.Name(m.Topic), m)
	}
}

func (l *Loop) complainAbout(to protocol.ConnID, level slog.Level, event string, m *protocol.Message) {
	if !l.events.wants(level) {
		return
	}
	suppressed, ok := l.events.admit(to, l.eng.Now())
	if !ok {
		return
	}
	args := []any{"event", event, "topic", m.Topic.String()}
	if m.OriginalAction != 0 {
		topic := m.Topic
		if m.OriginalTopic != 0 {
			topic = m.OriginalTopic
		}
		args = append(args, "action", m.OriginalAction.Name(topic))
	}
	if len(m.CorrelationID) > 0 {
		args = append(args, "correlationId", clean(string(m.CorrelationID[:min(len(m.CorrelationID), textBytesMax)])))
	}
	args = append(args, "connection", to.String())
	if user := l.userName(to); user != "" {
		args = append(args, "user", user)
	}
	if suppressed > 0 {
		args = append(args, "suppressed", suppressed)
	}
	l.events.log.Log(context.Background(), level, clean(string(m.Name[:min(len(m.Name), textBytesMax+utf8.UTFMax)])), args...)
}

// userName returns who is behind a connection, if it is one of this loop and logged in.
func (l *Loop) userName(id protocol.ConnID) string {
	if c := l.eng.Conn(id); c != nil {
		if s := l.conns.at(c.Slot()); s.user != nil {
			return clean(s.user.ID)
		}
	}
	return ""
}

// admit reports whether there may be a complaint about a connection now, and how many there were since
// the last one.
func (e *eventLog) admit(id protocol.ConnID, now time.Duration) (suppressed int, ok bool) {
	if now-e.window >= time.Second || now < e.window {
		e.window, e.written = now, 0
	}
	w, known := e.complainers[id]
	if !known && len(e.complainers) >= complainersMax {
		e.forget(now)
		if len(e.complainers) >= complainersMax {
			id = 0 // names nobody: the place that all others share
			w, known = e.complainers[id]
		}
	}
	if known && now-w.last < complaintPause || e.written >= complaintsPerSecond {
		if !known {
			w.last = now
		}
		w.suppressed++
		e.complainers[id] = w
		return 0, false
	}
	e.written++
	e.complainers[id] = complainer{last: now}
	return w.suppressed, true
}

// forget drops those that may be complained about again anyway. What was left out about them stays so.
func (e *eventLog) forget(now time.Duration) {
	for id, w := range e.complainers {
		if now-w.last >= complaintPause {
			delete(e.complainers, id)
		}
	}
}

// clean returns what a peer has sent in a form that can neither break nor forge a line, cut to a length
// that fits into one.
func clean(text string) string {
	if len(text) > textBytesMax {
		cut := textBytesMax
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + "…"
	}
	for _, r := range text {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return strconv.Quote(text)
		}
	}
	return text
}

// levels of what a client is told, by the name of the action. What is missing here is not logged. Nothing
// is an error that a client can cause: the official server logs those of records as such, here the storage
// does it when it is to blame.
var levels = map[string]slog.Level{
	"INVALID_MESSAGE": slog.LevelWarn, "INVALID_MESSAGE_DATA": slog.LevelWarn, "MESSAGE_PARSE_ERROR": slog.LevelWarn,
	"UNKNOWN_TOPIC": slog.LevelWarn, "UNKNOWN_ACTION": slog.LevelWarn,
	"MESSAGE_PERMISSION_ERROR": slog.LevelWarn, "MESSAGE_DENIED": slog.LevelDebug,
	"MULTIPLE_SUBSCRIPTIONS": slog.LevelWarn, "NOT_SUBSCRIBED": slog.LevelWarn, "INVALID_LISTEN_REGEX": slog.LevelWarn,
	"NO_RPC_PROVIDER": slog.LevelWarn, "INVALID_RPC_CORRELATION_ID": slog.LevelWarn, "VERSION_EXISTS": slog.LevelWarn,
	"CACHE_RETRIEVAL_TIMEOUT": slog.LevelWarn, "STORAGE_RETRIEVAL_TIMEOUT": slog.LevelWarn,
	"RECORD_LOAD_ERROR": slog.LevelWarn, "RECORD_CREATE_ERROR": slog.LevelWarn,
	"RECORD_UPDATE_ERROR": slog.LevelWarn, "RECORD_DELETE_ERROR": slog.LevelWarn,
}

const (
	levelTopics  = 16
	levelActions = 128
)

// levelTable is levels by topic and action. 0: not logged, which is slog's info, a level no complaint has.
var levelTable = func() (table [levelTopics][levelActions]int8) {
	for topic := range protocol.Topic(levelTopics) {
		for action := range protocol.Action(levelActions) {
			table[topic][action] = int8(levels[action.Name(topic)])
		}
	}
	return table
}()

// complaintLevel returns the level at which m is logged, 0 if it is not.
func complaintLevel(m *protocol.Message) int8 {
	if uint32(m.Topic) >= levelTopics || uint32(m.Action) >= levelActions {
		return 0
	}
	return levelTable[m.Topic][m.Action]
}
