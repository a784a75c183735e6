{{- define "mlops-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "mlops-operator.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "mlops-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "mlops-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "mlops-operator.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "mlops-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "mlops-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "mlops-operator.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- /* Cluster-scoped names carry the namespace, so that two releases of one name do not share them. */}}
{{- define "mlops-operator.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "mlops-operator.fullname" .) | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "mlops-operator.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository .Values.image.tag }}
{{- end }}
{{- end }}

{{- /* A number or a text as it was given; empty where it is null. 0 is given. */}}
{{- define "mlops-operator.given" -}}
{{- if not (kindIs "invalid" .) }}{{ . }}{{ end }}
{{- end }}

{{- /* The port of a URL. */}}
{{- define "mlops-operator.port" -}}
{{- $url := urlParse . }}
{{- regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (ternary "443" "80" (eq $url.scheme "https")) }}
{{- end }}

{{- /* Everywhere but link-local addresses and those of EC2's own services, which give out credentials. */}}
{{- define "mlops-operator.anywhere" -}}
- ipBlock:
    cidr: 0.0.0.0/0
    except: [169.254.0.0/16]
- ipBlock:
    cidr: ::/0
    except: [fe80::/10, fd00:ec2::/32]
{{- end }}

{{- /* What is reached without the proxy: what proxy.noProxy names, the agent of EKS Pod Identity, and EC2's metadata. These two give
       out credentials and are on the node, where no proxy outside reaches them. Empty where there is no proxy. */}}
{{- define "mlops-operator.noProxy" -}}
{{- with .Values.proxy }}
{{- if or .https .http .noProxy }}
{{- compact (list .noProxy "169.254.170.23" "fd00:ec2::23" "169.254.169.254" "fd00:ec2::254") | join "," }}
{{- end }}
{{- end }}
{{- end }}

{{- /* The one subject of every binding. */}}
{{- define "mlops-operator.subject" -}}
- kind: ServiceAccount
  name: {{ include "mlops-operator.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}

{{- /* Credentials and CA bundles are watched by name, which is a list and a watch with a field selector. */}}
{{- define "mlops-operator.credentialRules" -}}
- apiGroups: [""]
  resources: [secrets, configmaps]
  verbs: [get, list, watch]
{{- end }}

{{- /* Name, namespace and labels of an object that has labels of its own: root, labels, and name for what is appended. */}}
{{- define "mlops-operator.labelled" -}}
name: {{ include "mlops-operator.fullname" .root }}{{ with .name }}-{{ . }}{{ end }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- mergeOverwrite (deepCopy .labels) (include "mlops-operator.labels" .root | fromYaml) | toYaml | nindent 2 }}
{{- end }}

{{- /* How a monitor reads. */}}
{{- define "mlops-operator.scrape" -}}
path: /metrics
{{- with .interval }}
interval: {{ . }}
{{- end }}
{{- with .scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- with .relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* What a monitor reads. */}}
{{- define "mlops-operator.monitored" -}}
namespaceSelector:
  matchNames: [{{ .Release.Namespace }}]
selector:
  matchLabels:
    {{- include "mlops-operator.selectorLabels" . | nindent 4 }}
{{- end }}
