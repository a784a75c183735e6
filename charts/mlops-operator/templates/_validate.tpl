{{- /* What the schema cannot say: values that do not go together. Each fails with the values' paths and what to do. */}}
{{- define "mlops-operator.validate" -}}
{{- include "mlops-operator.validateImage" . }}
{{- include "mlops-operator.validateLease" . }}
{{- include "mlops-operator.validateWatchSelector" . }}
{{- include "mlops-operator.validateInlinePlatforms" . }}
{{- include "mlops-operator.validateMetrics" . }}
{{- include "mlops-operator.validateCollector" . }}
{{- $budget := .Values.podDisruptionBudget }}
{{- if and (include "mlops-operator.given" $budget.minAvailable) (include "mlops-operator.given" $budget.maxUnavailable) }}
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

{{- /* As the operator reads it: requirements with commas between. What is too long is left for the operator to refuse. */}}
{{- define "mlops-operator.validateWatchSelector" -}}
{{- $name := `[A-Za-z0-9]+([-_.]+[A-Za-z0-9]+)*` }}
{{- $key := printf `([a-z0-9]+((-+|\.)[a-z0-9]+)*/)?%s` $name }}
{{- /* Values may be empty, but a list is not. */}}
{{- $list := printf `\(\s*(%[1]s\s*(,\s*(%[1]s\s*)?)*|(,\s*(%[1]s\s*)?)+)\)` $name }}
{{- $requirement := printf `(!\s*%[1]s|%[1]s(\s*(==?|!=)\s*(%[2]s)?|\s+(in|notin)\s*%[3]s)?)` $key $name $list }}
{{- if not (regexMatch (printf `^\s*(%[1]s\s*(,\s*%[1]s\s*)*)?$` $requirement) (.Values.watchSelector | default "")) }}
{{- fail (printf "watchSelector is %q, which is no selector: write key, !key, key=value, key!=value, key in (a,b) or key notin (a,b), with commas between" .Values.watchSelector) }}
{{- end }}
{{- end }}

{{- /* A project with a platform of its own names a Secret with Jenkins' credentials, in its namespace. The release's own
       namespace counts where it is named in full: a pattern that fits it is meant for others. */}}
{{- define "mlops-operator.validateInlinePlatforms" -}}
{{- if and .Values.rbac.create (not .Values.secrets.clusterWide) }}
{{- range $entry, $platform := .Values.config.inlinePlatforms }}
{{- range $at, $pattern := $platform.namespaces }}
{{- $expression := printf "^%s$" (replace "*" ".*" $pattern) }}
{{- $matched := and $.Values.platforms.secrets (eq $pattern $.Release.Namespace) }}
{{- range $.Values.secrets.namespaces }}
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
{{- $alerts := list }}
{{- range (.Files.Get "files/alerts.yaml" | fromYaml).groups }}
{{- range .rules }}
{{- $alerts = append $alerts .alert }}
{{- end }}
{{- end }}
{{- $alerts = compact $alerts }}
{{- range $at, $name := $metrics.prometheusRule.disabled }}
{{- if not (has $name $alerts) }}
{{- fail (printf "metrics.prometheusRule.disabled[%d] is %q, but there is no such alert; there are %s" $at $name (join ", " $alerts)) }}
{{- end }}
{{- end }}
{{- end }}
