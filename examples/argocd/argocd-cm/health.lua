-- The health of an MlopsPlatform or MlopsProject, for Argo CD. Healthy: Ready, in the generation that is declared now.
-- It reads conditions alone, and says nothing that the operator has not said.
local generation = obj.metadata.generation
local status = obj.status or {}
local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  if condition.status == "True" or condition.type == "Ready" then
    conditions[condition.type] = condition
  end
end
local ready = conditions.Ready

local function health(code, condition)
  local message = "the operator has not looked at this generation yet"
  if condition ~= nil then
    message = condition.message
  end
  return {status = code, message = message}
end

if status.observedGeneration ~= generation or ready == nil then
  return health("Progressing", nil)
end
if obj.metadata.deletionTimestamp == nil and conditions.Suspended ~= nil then
  return health("Suspended", conditions.Suspended)
end
if conditions.Stalled ~= nil then
  return health("Degraded", conditions.Stalled)
end
if obj.metadata.deletionTimestamp == nil and ready.status == "True" and ready.observedGeneration == generation then
  return health("Healthy", ready)
end
return health("Progressing", ready)
