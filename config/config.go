package config

import "reflect"

// GenerateName as serverName asks for a name made up at every start.
const GenerateName = "UUID"

// Config is one validated configuration. The zero value is not usable; start from Default.
type Config struct {
	ServerName                      string          `key:"serverName" default:"UUID" doc:"Name of this node, unique in a cluster. \"UUID\" generates one at every start."`
	ShowLogo                        bool            `key:"showLogo" default:"false" doc:"Print a banner on start."`
	LogLevel                        LogLevel        `key:"logLevel" default:"INFO" doc:"Least severe level that is logged."`
	LibDir                          Ignored         `key:"libDir" ignored:"plugins are compiled in" doc:"Plugin folder of the official server."`
	DependencyInitializationTimeout Duration        `key:"dependencyInitializationTimeout" default:"2s" range:"1s.." doc:"Time each service may take to become ready."`
	ExitOnFatalError                bool            `key:"exitOnFatalError" default:"true" doc:"Leave the process on unrecoverable errors."`
	ShutdownTimeout                 Duration        `key:"shutdownTimeout" default:"10s" range:"1ms..1h" doc:"Time a graceful stop may take."`
	DrainDelay                      Duration        `key:"drainDelay" default:"0s" range:"0s..1h" doc:"Time before it in which health checks fail already and clients stay, for load balancers to notice."`
	EnabledFeatures                 EnabledFeatures `key:"enabledFeatures"`
	RPC                             RPC             `key:"rpc"`
	Record                          Record          `key:"record"`
	Listen                          Listen          `key:"listen"`
	HTTPServer                      HTTPServer      `key:"httpServer"`
	ConnectionEndpoints             []Endpoint      `key:"connectionEndpoints" default:"ws-binary http" doc:"A list in the file replaces the default list entirely. One entry per type."`
	Logger                          Logger          `key:"logger"`
	Auth                            []Auth          `key:"auth" default:"none" doc:"Asked in this order."`
	Permission                      Permission      `key:"permission"`
	Cache                           Cache           `key:"cache"`
	Storage                         Storage         `key:"storage"`
	Monitoring                      []Monitoring    `key:"monitoring" default:"none" single:"true" doc:"One section or a list of them."`
	MonitoringServer                MonitorServer   `key:"monitoringServer"`
	Telemetry                       Ignored         `key:"telemetry" ignored:"this server never calls home" doc:"Start-up report of the official server."`
	Subscriptions                   Subscriptions   `key:"subscriptions"`
	Locks                           Locks           `key:"locks"`
	ClusterNode                     ClusterNode     `key:"clusterNode"`
	ClusterRegistry                 ClusterRegistry `key:"clusterRegistry"`
	ClusterStates                   ClusterStates   `key:"clusterStates"`
	Plugins                         Plugins         `key:"plugins" unavailable:"*" doc:"Compiled-in plugins: a name of your choice to {name, options}."`

	// Dir is the folder that relative paths start from: that of the configuration file. Empty: the
	// current one.
	Dir string

	// File is the configuration file. Empty: there is none.
	File string

	// Files are the files whose content fileLoad has put in, by the key it stands under.
	Files map[string]string

	// Warnings lists what Load or Validate accepted but an operator should know.
	Warnings []Problem
}

// Ignored is a key of the official server that has no meaning here. Its value is not kept.
type Ignored struct{}

// EnabledFeatures switches whole topics off; a disabled one answers UNKNOWN_TOPIC.
type EnabledFeatures struct {
	Record     bool `key:"record" default:"true" doc:"Serve the RECORD topic."`
	Event      bool `key:"event" default:"true" doc:"Serve the EVENT topic."`
	RPC        bool `key:"rpc" default:"true" doc:"Serve the RPC topic."`
	Presence   bool `key:"presence" default:"true" doc:"Serve the PRESENCE topic."`
	Monitoring bool `key:"monitoring" default:"false" unavailable:"true" doc:"MONITORING topic of the official server, where it does nothing."`
}

// RPC bounds the life of a remote procedure call.
type RPC struct {
	AckTimeout           Duration `key:"ackTimeout" default:"1s" range:"1ms.." doc:"Time a provider has to accept."`
	ResponseTimeout      Duration `key:"responseTimeout" default:"10s" range:"1ms.." doc:"Time a provider has to answer."`
	ProvideRequestorName bool     `key:"provideRequestorName" default:"false" doc:"Tell providers the user who asked."`
	ProvideRequestorData bool     `key:"provideRequestorData" default:"false" doc:"Hand providers the clientData of the user who asked."`
}

// Record configures how records are loaded and kept.
type Record struct {
	CacheRetrievalTimeout    Duration `key:"cacheRetrievalTimeout" default:"1s" range:"50ms.." doc:"Time the cache may take to answer."`
	StorageRetrievalTimeout  Duration `key:"storageRetrievalTimeout" default:"2s" range:"50ms.." doc:"Time without any answer of the storage after which reads and writes that wait for it fail."`
	StorageExclusionPrefixes []string `key:"storageExclusionPrefixes" default:"" doc:"Records whose name starts with one of these live in the cache only."`
	StorageHotPathPrefixes   []string `key:"storageHotPathPrefixes" default:"" doc:"For these the last write wins, without a version check."`
}

// Listen configures pattern listeners.
type Listen struct {
	ShuffleProviders         bool     `key:"shuffleProviders" default:"true" doc:"Ask matching listeners in random order."`
	ResponseTimeout          Duration `key:"responseTimeout" default:"500ms" range:"50ms.." doc:"Time a listener has to accept or reject."`
	RematchInterval          Duration `key:"rematchInterval" default:"30s" range:"0s.." doc:"Time between attempts to find a provider again; 1s or less switches them off."`
	MatchCooldown            Duration `key:"matchCooldown" default:"10s" range:"0s.." doc:"Time a failed search is not repeated."`
	MaxPatternLength         int      `key:"maxPatternLength" default:"1024" range:"1..65535" doc:"Longest pattern, in bytes."`
	MaxPatternsPerConnection int      `key:"maxPatternsPerConnection" default:"1000" range:"1..1000000" doc:"Patterns one connection may listen to."`
}

// HTTPServer is the one listener for WebSockets, the HTTP API and the health check.
type HTTPServer struct {
	Type    string            `key:"type" default:"default" oneof:"default" doc:"HTTP service."`
	Options HTTPServerOptions `key:"options"`
}

// HTTPServerOptions configures the listener and what every connection on it may cost.
type HTTPServerOptions struct {
	Host                 string   `key:"host" default:"0.0.0.0" doc:"Address to listen on."`
	Port                 int      `key:"port" default:"6020" range:"0..65535" doc:"Port to listen on; 0 lets the system pick a free one."`
	HealthCheckPath      string   `key:"healthCheckPath" default:"/health-check" doc:"Path that answers 200 while the server runs."`
	AllowAllOrigins      bool     `key:"allowAllOrigins" default:"true" doc:"Accept HTTP requests from every origin."`
	Origins              []string `key:"origins" default:"" doc:"Origins accepted otherwise, e.g. https://app.example.com."`
	CheckWebSocketOrigin bool     `key:"checkWebSocketOrigin" default:"false" doc:"Apply the list to WebSocket upgrades as well."`
	HostURL              string   `key:"hostUrl" default:"" doc:"If set, the Host header must equal it."`
	Headers              Ignored  `key:"headers" ignored:"all request headers are kept" doc:"Request headers to keep, in the official server."`
	MaxMessageSize       Size     `key:"maxMessageSize" default:"1MiB" range:"1B..1GiB" doc:"Largest HTTP body."`
	MaxBackpressure      Size     `key:"maxBackpressure" default:"1MiB" range:"1B..1GiB" doc:"Bytes queued for one connection before it counts as a slow consumer."`
	SlowConsumerPolicy   string   `key:"slowConsumerPolicy" default:"close" oneof:"close drop-new drop-oldest" doc:"What happens to a slow consumer. Only event broadcasts are ever dropped; for anything else it is closed."`
	SlowConsumerTimeout  Duration `key:"slowConsumerTimeout" default:"10s" range:"1ms.." doc:"Time a connection may stay blocked before the policy applies."`
	MaxConnections       int      `key:"maxConnections" default:"0" range:"0..16777216" doc:"Open connections; 0 derives it from the limit on file descriptors."`
	MaxHTTPConnections   int      `key:"maxHttpConnections" default:"0" range:"0..16777216" doc:"Of these, connections that the HTTP API has; 0: a fourth, at most 8192."`
	HTTPIdleTimeout      Duration `key:"httpIdleTimeout" default:"1m" range:"1ms.." doc:"Time a connection of the HTTP API may wait for its next request."`
	Loops                int      `key:"loops" default:"0" range:"0..1024" doc:"Event loops; 0 derives it from the CPUs."`
	SSL                  SSL      `key:"ssl" doc:"Serve TLS on the port. Needs a certificate and its key."`

	UnixSocket    UnixSocket    `key:"unixSocket"`
	ProxyProtocol ProxyProtocol `key:"proxyProtocol"`
}

// SSL holds the contents of PEM files, as the official server takes them, normally by fileLoad, or their
// names.
type SSL struct {
	Key               string  `key:"key" default:"" doc:"Private key, PEM text."`
	Cert              string  `key:"cert" default:"" doc:"Certificate chain, PEM text."`
	CA                string  `key:"ca" default:"" doc:"Certificate authorities, PEM text: they complete the chain, and judge client certificates."`
	KeyFile           string  `key:"keyFile" default:"" doc:"File of the private key, instead of key. A relative path starts at the configuration file."`
	CertFile          string  `key:"certFile" default:"" doc:"File of the certificate chain, instead of cert."`
	CAFile            string  `key:"caFile" default:"" doc:"File of certificate authorities, instead of ca."`
	RequireClientCert bool    `key:"requireClientCert" default:"false" doc:"Refuse clients without a certificate that one of the authorities has issued."`
	Watch             bool    `key:"watch" default:"false" doc:"Reload the files when they change."`
	DHParams          Ignored `key:"dhParams" ignored:"only elliptic curves are used" doc:"Diffie-Hellman parameters of the official uws service."`
	Passphrase        string  `key:"passphrase" default:"" doc:"Passphrase of the private key."`
}

// Endpoint is one way in. Only the options of its Type are set.
type Endpoint struct {
	Type      string       `key:"type" required:"true" oneof:"ws-binary http ws-text ws-json mqtt" unavailable:"ws-text ws-json mqtt" doc:"Protocol spoken."`
	WebSocket WebSocket    `key:"options" when:"ws-binary ws-text ws-json"`
	HTTP      HTTPEndpoint `key:"options" when:"http"`
	MQTT      MQTT         `key:"options" when:"mqtt"`
}

// WebSocket configures ws-binary, ws-text and ws-json.
type WebSocket struct {
	URLPath                      string   `key:"urlPath" default:"/deepstream" default-ws-text:"/deepstream-v3" default-ws-json:"/deepstream-json" doc:"Upgrade path."`
	HeartbeatInterval            Duration `key:"heartbeatInterval" default:"30s" range:"1ms.." doc:"A connection silent for twice as long is closed."`
	OutgoingBufferTimeout        Duration `key:"outgoingBufferTimeout" default:"0s" range:"0s.." doc:"Time to collect acks and broadcasts; 0 sends at once."`
	MaxBufferByteSize            Size     `key:"maxBufferByteSize" default:"100000" range:"1B..1GiB" doc:"Collected bytes that force a flush."`
	UnauthenticatedClientTimeout Duration `key:"unauthenticatedClientTimeout" default:"3m" range:"1ms.." off:"true" doc:"Time to log in."`
	MaxAuthAttempts              int      `key:"maxAuthAttempts" default:"3" range:"1..1000000" doc:"Failed logins before the connection is closed."`
	LogInvalidAuthData           bool     `key:"logInvalidAuthData" default:"false" doc:"Log the credentials of failed logins, in clear text!"`
	MaxMessageSize               Size     `key:"maxMessageSize" default:"1MiB" range:"1B..1GiB" doc:"Largest protocol message."`
	MaxBulkMessageSize           Size     `key:"maxBulkMessageSize" default:"16MiB" range:"1B..1GiB" doc:"The same for lists of names sent by a logged-in client."`
	MaxBulkNames                 int      `key:"maxBulkNames" default:"1000000" range:"1..16777216" doc:"Names in one message."`
	MaxSubscriptions             int      `key:"maxSubscriptions" default:"0" range:"0..16777216" doc:"Names one connection may be subscribed to or provide, all topics; 0: no limit. Further ones are denied."`
	MaxPendingRPCs               int      `key:"maxPendingRpcs" default:"0" range:"0..16384" doc:"RPCs of one connection that wait for their answers; 0: no limit but 16384. Further ones are denied."`
	MaxMessageRate               int      `key:"maxMessageRate" default:"0" range:"0..1000000" doc:"Messages per second of one connection, on average; 0: no limit. Further ones are denied, and who keeps on is closed. A list of names counts as one message per hundred."`
	MessageBurst                 int      `key:"messageBurst" default:"0" range:"0..1000000" doc:"Messages that may come at once under maxMessageRate; 0: those of one second."`
	Headers                      Ignored  `key:"headers" ignored:"all request headers are kept" doc:"Request headers to keep, in the official server."`
}

// HTTPEndpoint configures the JSON-over-HTTP API.
type HTTPEndpoint struct {
	EnableAuthEndpoint    bool     `key:"enableAuthEndpoint" default:"true" doc:"Serve logins on authPath."`
	AuthPath              string   `key:"authPath" default:"/api/auth" doc:"Path for logins."`
	PostPath              string   `key:"postPath" default:"/api" doc:"Path for commands."`
	GetPath               string   `key:"getPath" default:"/api" doc:"Records are read by GET below it, at <getPath>/record/<name>."`
	AllowAuthData         bool     `key:"allowAuthData" default:"true" doc:"Accept credentials inside a command."`
	LogInvalidAuthData    bool     `key:"logInvalidAuthData" default:"false" doc:"Log the credentials of failed logins, in clear text!"`
	RequestTimeout        Duration `key:"requestTimeout" default:"20s" range:"1ms.." doc:"Time a request may take."`
	MaxCommandsPerRequest int      `key:"maxCommandsPerRequest" default:"0" range:"0..1000000" doc:"Commands in one request; 0: as many as its body holds."`
	MaxMessageRate        int      `key:"maxMessageRate" default:"0" range:"0..1000000" doc:"Messages per second of one connection, on average; 0: no limit. A command or a read is one, and a list of names one more per hundred; logins are not counted. Requests beyond are answered with 429."`
	MessageBurst          int      `key:"messageBurst" default:"0" range:"0..1000000" doc:"Messages that may come at once under maxMessageRate; 0: those of one second. A request with more commands has to wait until nothing is owed."`
	MaxConcurrentRequests int      `key:"maxConcurrentRequests" default:"1024" range:"1..1000000" doc:"Requests carried out at a time; further ones are answered with 503."`
	MaxResponseSize       Size     `key:"maxResponseSize" default:"32MiB" range:"1KiB..1GiB" doc:"Answers to the commands of one request."`
	MaxMemory             Size     `key:"maxMemory" default:"128MiB" range:"1MiB.." doc:"Bodies, commands and answers of all requests together; beyond, 503."`
	MaxMessageSize        Ignored  `key:"maxMessageSize" ignored:"bodies are bounded by httpServer.options.maxMessageSize" doc:"Has no effect in the official server either."`
}

// MQTT configures the MQTT listener.
type MQTT struct {
	Host                         string   `key:"host" default:"0.0.0.0" doc:"Address to listen on."`
	Port                         int      `key:"port" default:"1883" range:"0..65535" doc:"Port to listen on."`
	IdleTimeout                  Duration `key:"idleTimeout" default:"3m" range:"1ms.." doc:"A connection silent for longer is closed."`
	UnauthenticatedClientTimeout Duration `key:"unauthenticatedClientTimeout" default:"3m" range:"1ms.." off:"true" doc:"Time to log in."`
	MaxMessageSize               Size     `key:"maxMessageSize" default:"1MiB" range:"1B..256MiB" doc:"Largest packet."`
	RawStrings                   bool     `key:"rawStrings" default:"true" doc:"Deliver texts without JSON quotes."`
	EmitOnRetain                 bool     `key:"emitOnRetain" default:"true" doc:"A retained publish emits the event too."`
	SSL                          SSL      `key:"ssl" unavailable:"*" doc:"Serve TLS."`
}

// Logger selects the format of log lines.
type Logger struct {
	Type    string        `key:"type" default:"default" oneof:"default json" doc:"Text lines or JSON objects."`
	Options LoggerOptions `key:"options"`
}

// LoggerOptions configures either format.
type LoggerOptions struct {
	Colors   bool     `key:"colors" default:"true" doc:"Colour text lines; only when stdout is a terminal."`
	LogLevel LogLevel `key:"logLevel" default:"INHERIT" doc:"Overrides the root logLevel."`

	Timestamps bool `key:"timestamps" default:"false" doc:"Begin text lines with the time. JSON lines have it anyway."`
}

// Auth is one way to tell who a client is. Only the options of its Type are set.
type Auth struct {
	Type    string      `key:"type" required:"true" oneof:"none file http storage jwt" doc:"Authentication handler."`
	File    FileAuth    `key:"options" when:"file"`
	HTTP    HTTPAuth    `key:"options" when:"http"`
	Storage StorageAuth `key:"options" when:"storage"`
	JWT     JWTAuth     `key:"options" when:"jwt"`
	None    NoAuth      `key:"options" when:"none"`
}

// NoAuth lets everybody in.
type NoAuth struct {
	AnonymousID string `key:"anonymousId" default:"" doc:"If set, everybody's user id, whatever name they give."`
}

// Hashing is how stored passwords were derived (PBKDF2-HMAC), unless they say it themselves.
type Hashing struct {
	Hash       string `key:"hash" default:"" doc:"Digest name; empty means clear-text passwords. Passwords stored as \"$argon2id$...\" are recognised in any case."`
	Iterations int    `key:"iterations" default:"0" range:"0..2147483647" doc:"Needed with hash."`
	KeyLength  int    `key:"keyLength" default:"0" range:"0..1024" doc:"Bytes; needed with hash."`
}

// FileAuth checks users of a table.
type FileAuth struct {
	Users Document `key:"users" required:"true" doc:"User table, normally \"fileLoad(users.yml)\"."`
	Hashing
	ReportInvalidParameters *bool `key:"reportInvalidParameters" default:"" doc:"Tell the client what was missing. Absent: true for a single handler, else false."`
	Watch                   bool  `key:"watch" default:"false" doc:"Reload the table when its file changes."`
}

// HTTPAuth asks a webhook.
type HTTPAuth struct {
	EndpointURL             string   `key:"endpointUrl" required:"true" doc:"Webhook, an http or https URL."`
	PermittedStatusCodes    []int    `key:"permittedStatusCodes" required:"true" range:"100..599" doc:"Statuses that mean success."`
	RequestTimeout          Duration `key:"requestTimeout" required:"true" range:"1ms.." doc:"Time one request may take."`
	RetryStatusCodes        []int    `key:"retryStatusCodes" required:"true" range:"100..599" doc:"Statuses to retry."`
	RetryAttempts           int      `key:"retryAttempts" required:"true" range:"0..1000" doc:"Retries after the first attempt."`
	RetryInterval           Duration `key:"retryInterval" required:"true" range:"0s.." doc:"Pause between attempts."`
	PromoteToHeader         []string `key:"promoteToHeader" default:"" doc:"Members of the auth data copied into request headers."`
	ReportInvalidParameters *bool    `key:"reportInvalidParameters" default:"" doc:"Tell the client what was missing. Absent: true for a single handler, else false."`
}

// StorageAuth checks users kept as records.
type StorageAuth struct {
	Table      string `key:"table" required:"true" doc:"Prefix of the records that hold users."`
	CreateUser bool   `key:"createUser" default:"false" doc:"Register unknown users on login."`
	Hashing
	ReportInvalidParameters *bool `key:"reportInvalidParameters" default:"" doc:"Tell the client what was missing. Absent: true for a single handler, else false."`
}

// JWTAuth checks signed tokens. Exactly one of Secret, PublicKey, JWKS and JWKSURL is set.
type JWTAuth struct {
	Algorithms []string `key:"algorithms" required:"true" doc:"Accepted signature algorithms: HS256, RS256, PS256, ES256 and the like with 384 or 512, or EdDSA."`

	Secret    string   `key:"secret" default:"" doc:"Key of HS algorithms, at least 32 bytes."`
	PublicKey string   `key:"publicKey" default:"" doc:"Public key or certificate in PEM form, normally \"fileLoad(key.pem)\"."`
	JWKS      Document `key:"jwks" default:"" doc:"Key set, normally \"fileLoad(jwks.json)\"."`
	JWKSURL   string   `key:"jwksUrl" default:"" doc:"Where the key set is, an http or https URL."`

	RefreshInterval Duration `key:"refreshInterval" default:"15m" range:"1s.." doc:"A key set from jwksUrl older than this is fetched again."`
	RefreshCooldown Duration `key:"refreshCooldown" default:"10s" range:"100ms.." doc:"Time between two fetches, however many tokens name an unknown key."`
	RequestTimeout  Duration `key:"requestTimeout" default:"5s" range:"1ms.." doc:"Time a fetch may take."`

	Issuer        string   `key:"issuer" default:"" doc:"If set, the token's iss must equal it."`
	Audience      []string `key:"audience" default:"" doc:"If set, the token's aud must contain one of these."`
	Leeway        Duration `key:"leeway" default:"0s" range:"0s..1h" doc:"Difference between clocks that is forgiven."`
	RequireExpiry bool     `key:"requireExpiry" default:"true" doc:"Refuse tokens without exp. A session ends when its token does."`

	Token  string `key:"token" default:"token" doc:"Member of the auth data that holds the token."`
	Header string `key:"header" default:"" doc:"Request header of the connection that holds it otherwise, perhaps behind \"Bearer\"."`
	Cookie string `key:"cookie" default:"" doc:"Cookie of the connection that holds it otherwise."`

	IDClaim         string `key:"idClaim" default:"sub" doc:"Claim that is the user id; \"a.b\" is b within a."`
	ClientDataClaim string `key:"clientDataClaim" default:"" doc:"Claim sent to the client as clientData; \"*\" for all of them."`
	ServerDataClaim string `key:"serverDataClaim" default:"*" doc:"Claim that rules see as user.data; \"*\" for all of them."`

	ReportInvalidParameters *bool `key:"reportInvalidParameters" default:"" doc:"Tell the client what was wrong. Absent: true for a single handler, else false."`
}

// Permission decides what a user may do.
type Permission struct {
	Type    string            `key:"type" default:"none" oneof:"none config" doc:"\"none\" allows everything, \"config\" evaluates Valve rules."`
	Options PermissionOptions `key:"options"`
}

// PermissionOptions configures type config.
type PermissionOptions struct {
	Permissions             Document `key:"permissions" default:"" doc:"Rules, normally \"fileLoad(permissions.yml)\"."`
	MaxRuleIterations       int      `key:"maxRuleIterations" default:"3" range:"1..1000" doc:"Evaluation rounds while cross references load."`
	CacheEvacuationInterval Ignored  `key:"cacheEvacuationInterval" ignored:"what is remembered about names is bounded by number, not by time" doc:"Time after which the official server forgets which rule a name has."`
	Watch                   bool     `key:"watch" default:"false" doc:"Reload the file when it changes."`
}

// Cache holds the records in use.
type Cache struct {
	Type    string       `key:"type" default:"default" oneof:"default" doc:"In memory, bounded."`
	Options CacheOptions `key:"options"`
}

// CacheOptions configures the cache in memory.
type CacheOptions struct {
	MaxBytes Size `key:"maxBytes" default:"256MiB" range:"1MiB.." doc:"Memory for records."`
}

// Storage keeps records over a restart.
type Storage struct {
	Type    string         `key:"type" default:"default" oneof:"default none" doc:"Embedded database, or \"none\" to keep nothing."`
	Options StorageOptions `key:"options" when:"default"`
	None    struct{}       `key:"options" when:"none"`
}

// StorageOptions configures the embedded database.
type StorageOptions struct {
	Path         string   `key:"path" default:"data" doc:"Folder, relative to the configuration file."`
	Durability   string   `key:"durability" default:"ack" oneof:"ack interval none" doc:"\"ack\": write acknowledgements wait for fsync; \"interval\": fsync every syncInterval; \"none\": left to the system."`
	SyncInterval Duration `key:"syncInterval" default:"20ms" range:"1ms.." doc:"Time between fsyncs with durability \"interval\"."`
	BlockCache   Size     `key:"blockCache" default:"64MiB" range:"1MiB..1TiB" doc:"Memory for blocks of the database, beside cache.options.maxBytes."`

	TombstoneRetention Duration `key:"tombstoneRetention" default:"168h" range:"1s.." doc:"Time the version of a deleted record is kept."`
}

// Monitoring is one consumer of statistics. Only the options of its Type are set.
type Monitoring struct {
	Type string         `key:"type" required:"true" oneof:"none http log" doc:"Monitor."`
	HTTP HTTPMonitoring `key:"options" when:"http"`
	Log  LogMonitoring  `key:"options" when:"log"`
	None struct{}       `key:"options" when:"none"`
}

// HTTPMonitoring serves statistics on the HTTP server.
type HTTPMonitoring struct {
	URL                  string `key:"url" required:"true" doc:"Path of the statistics."`
	HeaderKey            string `key:"headerKey" default:"" doc:"Request header that authorises; needed unless allowOpenPermissions."`
	HeaderValue          string `key:"headerValue" default:"" doc:"Value it must have."`
	AllowOpenPermissions bool   `key:"allowOpenPermissions" default:"false" doc:"Answer everybody."`
}

// LogMonitoring logs statistics.
type LogMonitoring struct {
	LogInterval   Duration `key:"logInterval" default:"15s" range:"1ms.." doc:"Time between lines."`
	MonitoringKey string   `key:"monitoringKey" default:"LOG_MONITORING" doc:"Namespace of the lines."`
}

// MonitorServer is the listener for those who watch the server, apart from its clients.
type MonitorServer struct {
	Enabled *bool  `key:"enabled" default:"" doc:"Serve /metrics, /livez and /readyz. Absent: yes, but if the default port is taken the server warns and goes on without."`
	Host    string `key:"host" default:"127.0.0.1" doc:"Address to listen on. Everybody who can reach it may read all of it."`
	Port    int    `key:"port" default:"6021" range:"0..65535" doc:"Port to listen on; 0 lets the system pick a free one."`
	Pprof   bool   `key:"pprof" default:"false" doc:"Serve profiles on /debug/pprof/."`
}

// Wanted reports whether there is to be a listener, and whether it is an error if it cannot be opened: it
// is if the operator has asked for it.
func (m *MonitorServer) Wanted() (wanted, must bool) {
	if m.Enabled != nil {
		return *m.Enabled, *m.Enabled
	}
	def := Default().MonitoringServer
	return true, m.Host != def.Host || m.Port != def.Port
}

// Subscriptions configures the registries of subscriptions.
type Subscriptions struct {
	Type    string               `key:"type" default:"default" oneof:"default" doc:"Subscription registry."`
	Options SubscriptionsOptions `key:"options"`
}

// SubscriptionsOptions configures the leak check.
type SubscriptionsOptions struct {
	SubscriptionsSanityTimer Duration `key:"subscriptionsSanityTimer" default:"10s" range:"50ms.." doc:"Time between leak checks."`
}

// Locks configures locks between nodes.
type Locks struct {
	Type    string       `key:"type" default:"default" oneof:"default" doc:"Lock registry."`
	Options LocksOptions `key:"options"`
}

// LocksOptions bounds how long a lock is held and waited for.
type LocksOptions struct {
	HoldTimeout    Duration `key:"holdTimeout" default:"1s" range:"50ms.." doc:"A lock held longer is released."`
	RequestTimeout Duration `key:"requestTimeout" default:"1s" range:"50ms.." doc:"A request waiting longer fails."`
}

// ClusterNode connects this node to others.
type ClusterNode struct {
	Type    string   `key:"type" default:"default" oneof:"default" doc:"A single node."`
	Options struct{} `key:"options"`
}

// ClusterRegistry configures how nodes notice each other.
type ClusterRegistry struct {
	Type    string                 `key:"type" default:"default" oneof:"default" doc:"Registry of nodes."`
	Options ClusterRegistryOptions `key:"options"`
}

// ClusterRegistryOptions times the heartbeats between nodes.
type ClusterRegistryOptions struct {
	KeepAliveInterval   Duration `key:"keepAliveInterval" default:"5s" range:"1ms.." doc:"Time between heartbeats of a node."`
	ActiveCheckInterval Duration `key:"activeCheckInterval" default:"1s" range:"1ms.." doc:"Time between looks for silent nodes."`
	NodeInactiveTimeout Duration `key:"nodeInactiveTimeout" default:"15s" range:"1ms.." doc:"A node silent for longer is dropped."`
	Role                string   `key:"role" default:"deepstream" doc:"What this node is in the cluster."`
}

// ClusterStates configures the states nodes share.
type ClusterStates struct {
	Type    string               `key:"type" default:"default" oneof:"default" doc:"Registry of shared states."`
	Options ClusterStatesOptions `key:"options"`
}

// ClusterStatesOptions times their repair.
type ClusterStatesOptions struct {
	ReconciliationTimeout Duration `key:"reconciliationTimeout" default:"500ms" range:"1ms.." doc:"Time a peer has to repair a state that differs."`
}

// Default returns the configuration of an empty file.
func Default() Config {
	var c Config
	setDefaults(reflect.ValueOf(&c).Elem(), "")
	return c
}

// Endpoint returns the entry of connectionEndpoints with that type, nil if there is none. It points
// into c.
func (c *Config) Endpoint(typ string) *Endpoint {
	for i := range c.ConnectionEndpoints {
		if c.ConnectionEndpoints[i].Type == typ {
			return &c.ConnectionEndpoints[i]
		}
	}
	return nil
}

// EffectiveLogLevel returns the level of the logger, which wins over the root's.
func (c *Config) EffectiveLogLevel() LogLevel {
	if c.Logger.Options.LogLevel != LevelInherit {
		return c.Logger.Options.LogLevel
	}
	return c.LogLevel
}
