-- The health of an Application within another one: its own.
local health = (obj.status or {}).health or {}
return {status = health.status or "Progressing", message = health.message or ""}
