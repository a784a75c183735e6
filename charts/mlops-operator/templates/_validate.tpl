{{- /* What the schema cannot say: values that do not go together. Each fails with the values' paths and what to do. */}}
{{- define "mlops-operator.validate" -}}
{{- include "mlops-operator.validateImage" . }}
{{- include "mlops-operator.validateLease" . }}
{{- include "mlops-operator.validateInlinePlatforms" . }}
{{- include "mlops-operator.validateMetrics" . }}
{{- include "mlops-operator.validateCollector" . }}
{{- $budget := .Values.podDisruptionBudget }}
{{- if not (or (eq (toString $budget.minAvailable) "") (eq (toString $budget.maxUnavailable) "")) }}
{{- fail "podDisruptionBudget.minAvailable and podDisruptionBudget.maxUnavailable are both set; Kubernetes takes one of them" }}
{{- end }}
{{- end }}

{{- define "mlops-operator.validateImage" -}}
{{- $image := .Values.image }}
{{- if not (and $image.repository (or $image.digest $image.tag)) }}
{{- fail (printf "no image is named: image.repository is %q, image.digest is %q and image.tag is %q. Set image.repository to where your image is, and image.digest (best) or image.tag to which one: --set image.repository=registry.example.com/mlops-operator,image.tag=%s" $image.repository $image.digest $image.tag .Chart.AppVersion) }}
{{- end }}
{{- end }}

{{- /* As the operator does at its start. */}}
{{- define "mlops-operator.validateLease" -}}
{{- $times := .Values.config.leaderElection | default dict }}
{{- $duration := int (dig "leaseDuration" 15 $times) }}
{{- $grace := int (dig "renewGrace" 10 $times) }}
{{- if ge $grace $duration }}
{{- fail (printf "config.leaderElection.renewGrace is %d, but must be smaller than config.leaderElection.leaseDuration, which is %d: the Lease is renewed so long before its end" $grace $duration) }}
{{- end }}
{{- end }}

{{- /* A project with a platform of its own names a Secret with Jenkins' credentials, in its namespace. */}}
{{- define "mlops-operator.validateInlinePlatforms" -}}
{{- $readable := .Values.secrets.namespaces }}
{{- if .Values.platforms.secrets }}
{{- $readable = append $readable .Release.Namespace }}
{{- end }}
{{- if and .Values.rbac.create (not .Values.secrets.clusterWide) }}
{{- range $entry, $platform := .Values.config.inlinePlatforms }}
{{- range $at, $pattern := $platform.namespaces }}
{{- $expression := printf "^%s$" (replace "*" ".*" $pattern) }}
{{- $matched := false }}
{{- range $readable }}
{{- $matched = or $matched (regexMatch $expression .) }}
{{- end }}
{{- if not $matched }}
{{- fail (printf "config.inlinePlatforms[%d].namespaces[%d] is %q, but secrets.namespaces lists no such namespace: the operator could not read the Jenkins credentials of its projects. Add the namespace to secrets.namespaces, or set secrets.clusterWide" $entry $at $pattern) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "mlops-operator.validateCollector" -}}
{{- if and .Values.otlp.headersSecret.name (not .Values.otlp.endpoint) }}
{{- fail (printf "otlp.headersSecret.name is %q, but otlp.endpoint is empty: nothing is sent. Set otlp.endpoint to the URL of the collector" .Values.otlp.headersSecret.name) }}
{{- end }}
{{- if and (or .Values.networkPolicy.collectorTo .Values.networkPolicy.collectorPorts) (not .Values.otlp.endpoint) }}
{{- fail "networkPolicy.collectorTo or networkPolicy.collectorPorts is set, but otlp.endpoint is empty: nothing is sent. Set otlp.endpoint to the URL of the collector" }}
{{- end }}
{{- end }}

{{- define "mlops-operator.validateMetrics" -}}
{{- $metrics := .Values.metrics }}
{{- if and $metrics.serviceMonitor.enabled $metrics.podMonitor.enabled }}
{{- fail "metrics.serviceMonitor.enabled and metrics.podMonitor.enabled are both true: every figure would be read twice; enable one of them" }}
{{- end }}
{{- if and $metrics.serviceMonitor.enabled (not $metrics.service.enabled) }}
{{- fail "metrics.serviceMonitor.enabled is true, but metrics.service.enabled is not: there is no Service to read from. Set it, or enable metrics.podMonitor instead" }}
{{- end }}
{{- end }}
